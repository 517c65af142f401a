package journal

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"lab/internal/need"
)

// forge writes a run into a journal of the test's own, as if it had ended
// without undoing anything.
func forge(t *testing.T, change func(*Run)) Run {
	t.Helper()
	state := os.Getenv("XDG_STATE_HOME")
	if !strings.HasPrefix(state, os.TempDir()) {
		state = t.TempDir()
		t.Setenv("XDG_STATE_HOME", state)
	}
	boot, namespace, err := here()
	require.NoError(t, err)
	id := newID()
	r := Run{
		ID: id, Command: []string{"lab", "run", "04"}, Step: "04-net", Started: time.Now(),
		Boot: boot, PIDNamespace: namespace, Directory: filepath.Join(t.TempDir(), "lab-"+id),
	}
	change(&r)
	text, err := json.Marshal(r)
	require.NoError(t, err)
	dir := filepath.Join(state, "lab", "journal")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, id+".json"), text, 0o600))
	return r
}

// left lists what is still in the journal.
func left(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(os.Getenv("XDG_STATE_HOME"), "lab", "journal", "*"))
	require.NoError(t, err)
	return files
}

// about returns the actions of one kind: what, result and why.
func about(c Cleaning, kind Kind) []Action {
	var found []Action
	for _, a := range c.Actions {
		if a.Kind == kind {
			found = append(found, a)
		}
	}
	return found
}

func TestCgroupOwner(t *testing.T) {
	const namespace = 4026531836
	for name, want := range map[string]int{
		"lab-4711-4026531836": 4711, "lab-4711-4026531836-old": 4711,
		"lab-4711-4026531836-leaf": 4711,
		"lab-4711-4026531837":      0, "lab-04711-4026531836": 0, "lab-1-4026531836": 0,
		"lab-x-4026531836": 0, "lab-4711": 0, "lab": 0, "lab-4711-4026531836-web": 0,
		"docker-4711-4026531836": 0, "lab--4711-4026531836": 0, "lab-4711-4026531836-old-er": 0,
	} {
		pid, ours := cgroupOwner(name, namespace)
		assert.Equal(t, want > 0, ours, name)
		if ours {
			assert.Equal(t, want, pid, name)
		}
	}
}

// A directory goes if it is the one that the run made, and no mount is in it.
func TestOnlyTheRunsDirectoryGoes(t *testing.T) {
	need.Sandbox(t)
	good := forge(t, func(*Run) {})
	require.NoError(t, os.MkdirAll(filepath.Join(good.Directory, "root", "bin"), 0o755))
	renamed := forge(t, func(r *Run) { r.Directory = filepath.Join(t.TempDir(), "lab-other") })
	require.NoError(t, os.Mkdir(renamed.Directory, 0o755))
	linked := forge(t, func(*Run) {})
	require.NoError(t, os.Symlink(t.TempDir(), linked.Directory))
	gone := forge(t, func(*Run) {})

	planned, err := Clean(t.Context(), true)
	require.NoError(t, err)
	assert.Contains(t, about(planned, Files),
		Action{Files, "directory " + good.Directory, Planned, ""})
	assert.DirExists(t, good.Directory, "a dry run")
	assert.Len(t, left(t), 4)

	done, err := Clean(t.Context(), false)
	require.NoError(t, err)
	assert.ElementsMatch(t, []Action{
		{Files, "directory " + good.Directory, Removed, ""},
		{Files, "directory " + renamed.Directory, Kept, "it is not named lab-" + renamed.ID},
		{Files, "directory " + linked.Directory, Kept, "it is no directory"},
	}, about(done, Files))
	assert.NoDirExists(t, good.Directory)
	assert.DirExists(t, renamed.Directory)
	assert.FileExists(t, linked.Directory)
	assert.NoDirExists(t, gone.Directory)
	assert.Len(t, left(t), 2, "what was kept can be found again")
}

// What lab was starting when it was killed may hold the lock a moment longer.
func TestLockOutlivesTheRun(t *testing.T) {
	need.Sandbox(t)
	self, err := thisProcess(RoleLab, os.Getpid())
	require.NoError(t, err)
	self.Start += "0" // not this one: a process that is dead
	r := forge(t, func(r *Run) { r.Processes = []Process{self} })
	require.NoError(t, os.Mkdir(r.Directory, 0o755))
	file, err := os.Open(left(t)[0])
	require.NoError(t, err)
	require.NoError(t, unix.Flock(int(file.Fd()), unix.LOCK_EX))
	time.AfterFunc(50*time.Millisecond, func() { _ = file.Close() }) // once, here

	done, err := Clean(t.Context(), false)
	require.NoError(t, err)
	assert.Empty(t, done.Active)
	assert.NoDirExists(t, r.Directory)
	assert.Empty(t, left(t))
}

// A working directory goes if there is nothing in it but what an overlay makes.
func TestOnlyAnOverlaysWorkGoes(t *testing.T) {
	need.Sandbox(t)
	base := t.TempDir()
	for _, name := range []string{"a", "b"} {
		require.NoError(t, os.Mkdir(filepath.Join(base, name), 0o755))
		inside := filepath.Join(base, name+".work", "work", "incompat")
		require.NoError(t, os.MkdirAll(inside, 0o755))
		require.NoError(t, os.Chmod(filepath.Dir(inside), 0))
		forge(t, func(r *Run) { r.Work = filepath.Join(base, name+".work") })
	}
	mine := filepath.Join(base, "b.work", "mine")
	require.NoError(t, os.WriteFile(mine, nil, 0o644))
	_, err := Clean(t.Context(), false)
	require.NoError(t, err)
	assert.NoDirExists(t, filepath.Join(base, "a.work"))
	assert.FileExists(t, mine)
	require.NoError(t, os.Chmod(filepath.Join(base, "b.work", "work"), 0o755)) // for TempDir
}

// What a version 2 parent hands on is taken back, unless a cgroup that came
// later may need it.
func TestTakeBack(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, subtreeControl)
	require.NoError(t, os.WriteFile(file, []byte("cpu\n"), 0o644))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "old"), 0o755))
	before := parentNow(dir)
	assert.Equal(t, parent{dir, []string{"cpu"}, []string{"old"}, 2}, before)

	c := &cleaning{}
	c.takeBack(before)
	assert.Empty(t, c.Actions, "nothing was added")
	require.NoError(t, os.WriteFile(file, []byte("cpu memory pids\n"), 0o644))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "new"), 0o755))
	c.takeBack(before)
	require.Len(t, c.Actions, 1)
	assert.Equal(t, Kept, c.Actions[0].Result)
	assert.Equal(t, "the cgroup new came later and may need it", c.Actions[0].Why)
	require.NoError(t, os.Remove(filepath.Join(dir, "new")))
	c.takeBack(before)
	require.Len(t, c.Actions, 2)
	assert.Equal(t, Restored, c.Actions[1].Result)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Contains(t, string(text), "-memory -pids")
}

// A text that is cut short, as after a power failure, is removed; one that is
// about another run is, too.
func TestBrokenFiles(t *testing.T) {
	need.Sandbox(t)
	forge(t, func(r *Run) { r.ID = "aaaaaaaaaa" })
	dir := filepath.Dir(left(t)[0])
	require.NoError(t, os.WriteFile(filepath.Join(dir, "bbbbbbbbbb.json"), []byte("{"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "notes.txt"), nil, 0o600))
	done, err := Clean(t.Context(), false)
	require.NoError(t, err)
	assert.Len(t, about(done, Files), 2)
	assert.Equal(t, []string{filepath.Join(dir, "notes.txt")}, left(t))
}

// The pid of another boot or another pid namespace is nobody's here.
func TestStranger(t *testing.T) {
	need.Sandbox(t)
	self, err := thisProcess(RoleContainer, os.Getppid())
	require.NoError(t, err)
	for name, change := range map[string]func(*Run){
		"another boot":          func(r *Run) { r.Boot = "00000000-0000-0000-0000-000000000000" },
		"another pid namespace": func(r *Run) { r.PIDNamespace++ },
		"another start":         func(r *Run) { r.Processes[0].Start += "0" },
		"a process of nobody's": func(*Run) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("XDG_STATE_HOME", t.TempDir())
			r := forge(t, func(r *Run) {
				r.Processes = []Process{self}
				change(r)
			})
			planned, err := Clean(t.Context(), true) // it would signal our parent
			require.NoError(t, err)
			for _, a := range about(planned, Processes) {
				assert.Equal(t, Kept, a.Result)
			}
			if name != "a process of nobody's" {
				_, err = Last()
				require.ErrorIs(t, err, ErrNone, strconv.Quote(r.ID))
			}
		})
	}
}
