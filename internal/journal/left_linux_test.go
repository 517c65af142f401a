package journal_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"lab/internal/journal"
	"lab/internal/need"
)

// Last is the first process of the newest container that runs, in the order in
// which they were started.
func TestLast(t *testing.T) {
	need.Sandbox(t)
	state(t)
	_, err := journal.Last()
	require.ErrorIs(t, err, journal.ErrNone)
	older, first := hold(t, 0)
	newer, second := hold(t, first)
	assert.NotEqual(t, first, second)
	for _, pid := range []int{first, second} {
		ns, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid_for_children", pid))
		require.NoError(t, err)
		own, err := os.Readlink("/proc/self/ns/pid")
		require.NoError(t, err)
		assert.NotEqual(t, own, ns)
	}
	require.NoError(t, newer())
	pid, err := journal.Last()
	require.NoError(t, err)
	assert.Equal(t, first, pid, "the newer one has ended")
	require.NoError(t, older())
	_, err = journal.Last()
	require.ErrorIs(t, err, journal.ErrNone)
}

// hold starts a container and returns its first process, which is another one
// than that before.
func hold(t *testing.T, before int) (end func() error, pid int) {
	t.Helper()
	cmd := lab(t, "run", "03", "cat")
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	require.Eventually(t, func() bool {
		pid, err = journal.Last()
		return err == nil && pid != before
	}, 2*time.Minute, 10*time.Millisecond)
	return func() error {
		require.NoError(t, stdin.Close())
		return cmd.Wait()
	}, pid
}

// A process that carries the mark of its run is ended. Here it is one that no
// death signal reaches.
func TestLeftProcessIsEnded(t *testing.T) {
	need.Sandbox(t)
	state(t)
	cmd := lab(t, "run", "03", "cat")
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	defer stdin.Close()
	require.NoError(t, cmd.Start())
	var pid int
	require.Eventually(t, func() bool {
		pid, err = journal.Last()
		return err == nil
	}, 2*time.Minute, 10*time.Millisecond)
	dir := filepath.Join(os.Getenv("XDG_STATE_HOME"), "lab", "journal")
	marks, err := filepath.Glob(filepath.Join(dir, "*.json"))
	require.NoError(t, err)
	require.Len(t, marks, 1)
	id := strings.TrimSuffix(filepath.Base(marks[0]), ".json")

	// The run's file is kept; in it, another process becomes the container.
	text, err := os.ReadFile(marks[0])
	require.NoError(t, err)
	other := exec.CommandContext(t.Context(), "sleep", "1000")
	other.Env = []string{"PATH=" + os.Getenv("PATH"), "MARK=" + id}
	require.NoError(t, other.Start())
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	var run map[string]any
	require.NoError(t, json.Unmarshal(text, &run))
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", other.Process.Pid))
	require.NoError(t, err)
	run["processes"] = []map[string]any{{
		"role": "container", "pid": other.Process.Pid, "start": strings.Fields(string(stat))[21],
	}}
	text, err = json.Marshal(run)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(marks[0], text, 0o600))

	done := clean(t)
	assert.Contains(t, done.Actions, journal.Action{
		Kind: journal.Processes, Result: journal.Ended,
		What: fmt.Sprintf("process %d (container)", other.Process.Pid),
	})
	require.Error(t, other.Wait(), "killed")
	require.Eventually(t, func() bool {
		_, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
		return errors.Is(err, fs.ErrNotExist)
	}, time.Minute, time.Millisecond, "the container died with its step")
}

// A bridge of the same name that is another's stays, and so do rules that are
// named like the lab's while it is there.
func TestForeignBridgeStays(t *testing.T) {
	need.Sandbox(t)
	state(t)
	nft := need.Tool(t, "nft", "nftables")
	require.NoError(t, netlink.LinkAdd(bridge("lab0")))
	defer func() { assert.NoError(t, netlink.LinkDel(bridge("lab0"))) }()
	for _, rule := range []string{
		"add table ip filter", "add chain ip filter forward",
		`add rule ip filter forward iifname lab0 counter accept comment "lab0"`,
	} {
		out, err := exec.CommandContext(t.Context(), nft, rule).CombinedOutput()
		require.NoError(t, err, string(out))
	}
	defer func() { assert.NoError(t, tool("nft", "nftables", "flush ruleset")(t)) }()
	before := take(t, ours(false))
	killAt(t, func() { time.Sleep(20 * time.Millisecond) }, "run", "04", "true")
	done := clean(t)
	assert.Contains(t, done.Actions, journal.Action{
		Kind: journal.Links, What: "bridge link lab0", Result: journal.Kept,
		Why: "its address is not the lab's, 02:6c:61:62:00:00",
	})
	assert.Empty(t, settle(t, before, 5*time.Second))
}

// A step that runs by itself keeps its bridge; killed, it is cleaned up after
// by its marks alone.
func TestStepWithoutJournal(t *testing.T) {
	need.Sandbox(t)
	state(t)
	before := take(t, ours(false))
	paths, err := programs()
	require.NoError(t, err)
	step := exec.CommandContext(t.Context(), paths["04-net"], "run", "cat")
	stdin, err := step.StdinPipe()
	require.NoError(t, err)
	defer stdin.Close()
	require.NoError(t, step.Start())
	awaitLink(t, "lab0-2")
	in := clean(t)
	require.Len(t, in.Actions, 1)
	assert.Equal(t, journal.Kept, in.Actions[0].Result)
	why := fmt.Sprintf("lab0-2 is on it, of process %d", step.Process.Pid)
	assert.Equal(t, why, in.Actions[0].Why)

	require.NoError(t, step.Process.Kill())
	require.Error(t, step.Wait())
	planned := clean(t, "--dry-run")
	assert.NotEmpty(t, planned.Actions)
	_, err = netlink.LinkByName("lab0")
	require.NoError(t, err, "a dry run")
	clean(t)
	assert.Empty(t, settle(t, before, 5*time.Second))
}

// The cgroup of a throw-away host goes when the host was killed: it is empty
// and nobody holds its lock.
func TestLeftHostGoes(t *testing.T) {
	need.Sandbox(t)
	need.Cgroup(t, "memory")
	state(t)
	hierarchies, err := need.Hierarchies()
	require.NoError(t, err)
	top := hierarchies[0].Mount
	killed := filepath.Join(top, "lab-test-4711-abcdef")
	lives := filepath.Join(top, "lab-test-4711-ghijkl")
	foreign := filepath.Join(top, "lab-test-mine")
	for _, dir := range []string{killed, filepath.Join(killed, "below"), lives, foreign} {
		require.NoError(t, os.Mkdir(dir, 0o755))
	}
	lock, err := os.Open(lives)
	require.NoError(t, err)
	require.NoError(t, unix.Flock(int(lock.Fd()), unix.LOCK_EX))
	clean(t)
	assert.NoDirExists(t, killed)
	assert.DirExists(t, lives)
	assert.DirExists(t, foreign)
	require.NoError(t, lock.Close())
	clean(t)
	assert.NoDirExists(t, lives)
	require.NoError(t, os.Remove(foreign))
}
