package journal_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"lab/internal/journal"
	"lab/internal/need"
	"lab/internal/program"
)

// state gives the test a journal of its own.
func state(t *testing.T) {
	t.Helper()
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	t.Setenv("SUDO_UID", "")
}

// programs are built, or found, once.
var programs = sync.OnceValues(func() (map[string]string, error) {
	return program.Paths(context.Background(),
		"lab", "03-mount", "04-net", "05-cgroups", "06-unionfs")
})

// lab is a command of lab.
func lab(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	paths, err := programs()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), paths["lab"], args...)
	cmd.Env = append(os.Environ(), "LAB_BIN="+filepath.Dir(paths["lab"]))
	return cmd
}

// moments is how often each step is killed: 50 times all three, and less often
// in a virtual machine that is 20 times slower.
func moments(step string) int {
	if os.Getenv("LAB_VM") == "1" {
		return 4
	}
	return map[string]int{"04": 17, "05": 17, "06": 16}[step]
}

// Whenever lab is killed, the host is as before after a clean, and what others
// have under similar names is, too.
func TestKilledRunsAreCleaned(t *testing.T) {
	need.Sandbox(t)
	need.Overlay(t)
	state(t)
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	foreign(t)
	upper := filepath.Join(temporary, "upper")
	require.NoError(t, os.Mkdir(upper, 0o755))
	limits := []string{"-memory", "30M", "-pids", "64"}
	if need.TryCgroup("memory") != nil || need.TryCgroup("pids") != nil {
		limits = nil // an ordinary user without a delegated cgroup
	}
	lower := filepath.Join(temporary, "lower")
	require.NoError(t, lab(t, "rootfs", lower).Run())

	for step, flags := range map[string][]string{
		"04": nil, "05": limits, "06": {"-lower", lower, "-upper", upper},
	} {
		t.Run(step, func(t *testing.T) {
			before := take(t, journal.Scope{Files: []string{temporary}})
			began := time.Now()
			line := append([]string{"run", step}, flags...)
			out, err := lab(t, append(line, "--", "true")...).CombinedOutput()
			require.NoError(t, err, string(out))
			longest := time.Since(began)
			undone := map[journal.Kind]int{}
			for i := range moments(step) {
				// One moment in each part of a run, the last one in its end.
				part := longest / time.Duration(moments(step))
				after := part*time.Duration(i) + time.Duration(rand.Int64N(int64(part)))
				killAfter(t, after, append(line, "--", "sleep", "1000")...)
				left := clean(t)
				assert.Empty(t, left.Differences, "%s after %s", step, after)
				assert.Empty(t, settle(t, before, 5*time.Second), "%s after %s", step, after)
				for _, a := range left.Actions {
					assert.NotContains(t, []string{journal.Refused, journal.Kept}, a.Result, a.What)
					undone[a.Kind]++
				}
			}
			assert.NotZero(t, undone[journal.Files], "a kill that leaves nothing shows nothing")
			assert.NotZero(t, undone[journal.Links])
			assert.Equal(t, step == "05" && limits != nil, undone[journal.Cgroups] > 0)
		})
	}
}

// killAfter starts lab, kills it, and waits for it.
func killAfter(t *testing.T, after time.Duration, args ...string) {
	t.Helper()
	cmd := lab(t, args...)
	require.NoError(t, cmd.Start())
	time.Sleep(after) // the moment is what is tried out
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait(), "killed")
}

// clean runs lab clean and returns what it tells.
func clean(t *testing.T, flags ...string) journal.Cleaning {
	t.Helper()
	var told journal.Cleaning
	cmd := lab(t, append([]string{"clean", "--json"}, flags...)...)
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	require.NoError(t, err, string(out))
	require.NoError(t, json.Unmarshal(out, &told))
	return told
}

// foreign makes what others could have under names that resemble the lab's.
func foreign(t *testing.T) {
	t.Helper()
	// The bridge has another name and our address; the rules are in a table of
	// another family, or have no more than the name of ours.
	other := bridge("lab1").(*netlink.Bridge)
	other.HardwareAddr = []byte{0x02, 0x6c, 0x61, 0x62, 0, 0}
	require.NoError(t, netlink.LinkAdd(other))
	t.Cleanup(func() { assert.NoError(t, netlink.LinkDel(other)) })
	nft := need.Tool(t, "nft", "nftables")
	rules := exec.CommandContext(t.Context(), nft, "-f", "-")
	rules.Stdin = strings.NewReader(`
add table inet lab
add chain inet lab c
add rule inet lab c counter accept comment "lab0"
add table ip lab0
add chain ip lab0 postrouting
add rule ip lab0 postrouting ip saddr 10.44.0.0/24 accept comment "10.44.0.0/24"
`)
	out, err := rules.CombinedOutput()
	require.NoError(t, err, string(out))
	t.Cleanup(func() {
		// The test's context has ended by then.
		flush := exec.CommandContext(context.WithoutCancel(t.Context()), nft, "flush", "ruleset")
		assert.NoError(t, flush.Run())
	})

	mounted := filepath.Join(os.TempDir(), "lab-foreignmount2")
	require.NoError(t, os.MkdirAll(mounted, 0o755))
	require.NoError(t, unix.Mount("foreign", mounted, "tmpfs", 0, ""))
	require.NoError(t, os.WriteFile(filepath.Join(mounted, "file"), nil, 0o644))
	t.Cleanup(func() {
		assert.NoError(t, unix.Unmount(mounted, 0))
		assert.NoError(t, os.Remove(mounted))
	})
	if need.TryCgroup("memory") == nil {
		foreignCgroups(t)
	}
}

// foreignCgroups makes cgroups that are not named after a dead process of this
// pid namespace.
func foreignCgroups(t *testing.T) {
	t.Helper()
	var ns unix.Stat_t
	require.NoError(t, unix.Stat("/proc/self/ns/pid", &ns))
	hierarchies, err := need.Hierarchies()
	require.NoError(t, err)
	for _, h := range hierarchies {
		for _, name := range []string{
			"lab-foreign", "lab", fmt.Sprintf("lab-4194303-%d", ns.Ino+1),
			fmt.Sprintf("lab-%d-%d", os.Getpid(), ns.Ino),
			fmt.Sprintf("lab-4194303-%d-new", ns.Ino), fmt.Sprintf("lab-04194303-%d", ns.Ino),
		} {
			dir := filepath.Join(h.Mount, name)
			require.NoError(t, os.Mkdir(dir, 0o755))
			t.Cleanup(func() { assert.NoError(t, os.Remove(dir)) })
		}
	}
}

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
	}, 30*time.Second, 10*time.Millisecond)
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
	}, 30*time.Second, 10*time.Millisecond)
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
	assert.NoDirExists(t, fmt.Sprintf("/proc/%d", pid), "the container died with its step")
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
	killAfter(t, 20*time.Millisecond, "run", "04", "true")
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
	require.Eventually(t, func() bool {
		_, err := netlink.LinkByName("lab0-2")
		return err == nil
	}, 30*time.Second, 10*time.Millisecond)
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
