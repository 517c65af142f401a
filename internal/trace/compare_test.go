//go:build linux

package trace

import (
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"lab/internal/check/checktest"
	"lab/internal/course"
	"lab/internal/need"
	"lab/internal/program"
	"lab/internal/sandbox"
)

// TestMain runs the tests in a throw-away host; or it is what a test traces.
func TestMain(m *testing.M) {
	if dir := os.Getenv(learnerDir); dir != "" {
		learn(dir)
	}
	if os.Getenv(forbiddenCall) != "" {
		forbid()
	}
	os.Exit(sandbox.Run(m))
}

// TestStepsAsStrace compares what both say of the steps, each with the flags that
// its topic brings.
func TestStepsAsStrace(t *testing.T) {
	need.Sandbox(t)
	for _, s := range compared() {
		t.Run(s.ID, func(t *testing.T) {
			path, err := program.Path(t.Context(), s.ID)
			require.NoError(t, err)
			command := []string{path, "run"}
			if s.Rootfs {
				command = append(command, stepFlags(t, s.ID)...)
			}
			sameAsStrace(t, append(command, "true")...)
		})
	}
}

// compared returns the steps: all of them, or in the slow emulated machine the
// two for which its kernel's cgroups and its user namespaces make a difference.
func compared() []course.Step {
	steps := course.Steps()
	if os.Getenv("LAB_VM") == "1" {
		return slices.DeleteFunc(steps, func(s course.Step) bool {
			return s.ID != "05-cgroups" && s.ID != "08-user"
		})
	}
	return steps
}

// stepFlags returns the flags that make a step do its work.
func stepFlags(t *testing.T, step string) []string {
	t.Helper()
	root := checktest.Root(t)
	switch step {
	case "05-cgroups":
		need.Cgroup(t, "memory", "cpu", "pids")
		return []string{"-rootfs", root, "-memory", "30M", "-pids", "64"}
	case "06-unionfs":
		need.Overlay(t)
		return []string{"-lower", root, "-upper", t.TempDir()}
	case "07-volumes":
		return []string{"-rootfs", root, "-v", t.TempDir() + ":/mnt:ro"}
	case "08-user":
		need.UserNS(t)
		return []string{"-rootfs", root, "-user"}
	}
	return []string{"-rootfs", root}
}

// TestUnshareAsStrace compares what both say of util-linux's tools.
func TestUnshareAsStrace(t *testing.T) {
	need.Sandbox(t)
	need.Tool(t, "unshare", "util-linux")
	for _, tt := range []struct{ name, script string }{
		{"namespaces and mounts", `unshare --uts --mount --pid --fork --mount-proc sh -c '
			hostname inside; mount -t tmpfs -o size=64k,nosuid none /mnt
			mount --bind /mnt /opt; mount -o remount,ro,bind /opt; umount /opt; umount -l /mnt'`},
		{"a user namespace", `unshare --user --map-root-user --uts sh -c 'hostname x; id -u'`},
		{"a network", `unshare --net --ipc --cgroup ip link set lo up`},
		{"into another's namespaces", `unshare --uts nsenter --target $$ --uts --mount hostname`},
		{"a new root", `unshare --mount sh -c 'mkdir -p /run/r; mount -t tmpfs none /run/r
			mkdir /run/r/old; cd /run/r; pivot_root . old; umount -l old'`},
		{"privileges", `setpriv --no-new-privs --bounding-set -sys_admin,-net_raw \
			--inh-caps -all --pdeathsig KILL true`},
		{"what fails", `unshare --mount sh -c 'pivot_root /nowhere /; chroot /nowhere
			mount -t nofs none /mnt; umount /nowhere; exec /nowhere'`},
		{"a signal", `sh -c 'kill -TERM $$'`},
		{"a pipe with children", `sh -c 'echo a | cat | (cat; exit 3)'`},
	} {
		t.Run(tt.name, func(t *testing.T) { sameAsStrace(t, "sh", "-c", tt.script) })
	}
}
