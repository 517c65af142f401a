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
				// One moment in each part of a run; the last is when all is made.
				part := longest / time.Duration(moments(step))
				after := part*time.Duration(i) + time.Duration(rand.Int64N(int64(part)))
				moment := func() { time.Sleep(after) }
				if i == moments(step)-1 {
					moment = func() { awaitLink(t, "lab0-2") }
				}
				killAt(t, moment, append(line, "--", "sleep", "1000")...)
				left := clean(t)
				assert.Empty(t, left.Differences, "%s after %s", step, after)
				assert.Empty(t, settle(t, before, time.Minute), "%s after %s", step, after)
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

// awaitLink waits until a link exists.
func awaitLink(t *testing.T, name string) {
	t.Helper()
	require.Eventually(t, func() bool {
		_, err := netlink.LinkByName(name)
		return err == nil
	}, 2*time.Minute, time.Millisecond)
}

// killAt starts lab, kills it when the moment has come, and waits for it.
func killAt(t *testing.T, moment func(), args ...string) {
	t.Helper()
	cmd := lab(t, args...)
	require.NoError(t, cmd.Start())
	moment()
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
