//go:build linux

package trace

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lab/internal/check/checktest"
	"lab/internal/need"
)

// bundle makes an OCI bundle whose container runs true, and returns its directory.
// The root is the built-in one.
func bundle(t *testing.T) string {
	t.Helper()
	root := checktest.Root(t)
	dir := filepath.Dir(root)
	cmd := exec.CommandContext(t.Context(), need.Tool(t, "runc", "runc"), "spec", "-b", dir)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))

	file := filepath.Join(dir, "config.json")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var config map[string]any
	require.NoError(t, json.Unmarshal(text, &config))
	process := config["process"].(map[string]any)
	process["terminal"] = false
	process["args"] = []string{"/bin/true"}
	config["root"].(map[string]any)["path"] = root
	text, err = json.Marshal(config)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, text, 0o644))
	return dir
}

// onV2 returns a command that sees cgroups of version 2 alone: the sandbox's own in
// that hierarchy, in a mount namespace of its own. On a hybrid machine runc and
// crun ask for controllers of version 1 that the sandbox does not have.
func onV2(command ...string) []string {
	script := `mount -t cgroup2 none /sys/fs/cgroup && exec "$@"`
	return append([]string{"unshare", "--mount", "sh", "-c", script, "sh"}, command...)
}

// TestRuntimesAsStrace compares what both say of the two runtimes of the world.
func TestRuntimesAsStrace(t *testing.T) {
	need.RealRoot(t)
	need.Sandbox(t)
	for _, tt := range []struct {
		name  string
		flags []string
	}{
		{"runc", nil},
		// Its program for devices wants a higher limit of locked memory than a
		// machine without CAP_SYS_RESOURCE gives.
		{"crun", []string{"--cgroup-manager=disabled"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := need.Tool(t, tt.name, tt.name)
			state := t.TempDir()
			command := append([]string{path, "--root", state}, tt.flags...)
			command = append(command, "run", "--bundle", bundle(t), "traced")
			calls := sameAsStrace(t, onV2(command...)...)
			all := strings.Join(slices.Concat(slices.Collect(maps.Values(calls))...), "\n")
			for _, call := range []string{"pivot_root(", "sethostname(", "capset(", "mount("} {
				require.Contains(t, all, call)
			}
		})
	}
}

// A runtime removes its cgroup again and again until the kernel lets it go. However
// often that is in one run, the records are equal; a call that another one does not
// make is a difference all the same.
func TestRetriesAreNotCompared(t *testing.T) {
	tell := func(lines ...string) record {
		return parseStrace(t, strings.Join(lines, "\n")+"\n").record()
	}
	const busy = `7 rmdir("/sys/fs/cgroup/box") = -1 EBUSY (Device or resource busy)`
	const gone = `7 rmdir("/sys/fs/cgroup/box") = 0`
	const forward = `7 write(3</proc/sys/net/ipv4/ip_forward>, "1", 1) = 1`
	const enter = `7 setns(4<net:[4026531833]>, CLONE_NEWNET) = 0`
	once, thrice := tell(gone), tell(busy, busy, busy, gone)
	require.Empty(t, difference("", once, thrice))
	require.Empty(t, difference("", tell(forward, enter), tell(enter, forward)), "two threads")

	require.NotEmpty(t, difference("", once, tell(busy)), "it was never removed")
	require.NotEmpty(t, difference("", once, tell(gone, gone)))
	require.NotEmpty(t, difference("", tell(enter), tell(enter, forward)))
	require.NotEmpty(t, difference("", tell(enter, gone), tell(gone, enter)), "the order counts")
}
