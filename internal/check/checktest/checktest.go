//go:build linux

// Package checktest runs the checks of a step as tests of its program.
package checktest

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"lab/internal/check"
	"lab/internal/course"
	"lab/internal/need"
	"lab/internal/program"
)

// onlyOwn is the environment variable by which a lane whose machine is slow has a
// step judged by LAB_CHECKS=own: its own checks and, after 05-cgroups, those of
// limits, which every later step carries and whose answers the cgroup version
// decides. That a step passes the checks of all its ancestors is held where the
// variable is not set.
const onlyOwn = "LAB_CHECKS"

// Run judges the program of a step by its own checks and by those of all its
// ancestors. Each run puts flags before its own, such as -user.
func Run(t *testing.T, step string, flags ...string) {
	t.Helper()
	subject := Subject(t, step)
	subject.Flags = flags
	Judge(t, subject)
}

// Judge judges any subject by the checks of its step and of all its ancestors
// but those left out.
func Judge(t *testing.T, subject *check.Subject, leaveOut ...string) {
	t.Helper()
	for _, s := range course.UpTo(subject.Step) {
		if slices.Contains(leaveOut, s.ID) || !wanted(s.ID, subject.Step) {
			continue
		}
		t.Run(s.ID, func(t *testing.T) {
			if s.ID == "05-cgroups" {
				need.Cgroup(t, "memory", "cpu", "pids")
			}
			for _, c := range check.Of(s.ID) {
				t.Run(c.Name, func(t *testing.T) { One(t, c, subject) })
			}
		})
	}
}

// wanted tells whether a lane wants the checks of one step asked of another.
func wanted(of, step string) bool {
	return os.Getenv(onlyOwn) != "own" || of == step || of == "05-cgroups"
}

// One runs one check.
func One(t *testing.T, c check.Check, subject *check.Subject) {
	t.Helper()
	err := c.Run(t.Context(), subject)
	if reason, skipped := check.Skipped(err); skipped {
		t.Skip(reason)
	}
	if err != nil {
		t.Error(err)
	}
}

// RunShared is Run on a host whose mounts are all shared, as systemd makes them:
// what is mounted in a copy of them appears on the host. They become private
// again when the test ends.
func RunShared(t *testing.T, step string, flags ...string) {
	t.Helper()
	need.Sandbox(t)
	// mount --make-rshared /
	require.NoError(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""))
	defer func() {
		require.NoError(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	}()
	Run(t, step, flags...)
}

// Subject returns the program of a step with a fresh built-in root.
func Subject(t *testing.T, step string) *check.Subject {
	t.Helper()
	path, err := program.Path(t.Context(), step)
	require.NoError(t, err)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return &check.Subject{
		Step: step, Program: path, Root: Root(t),
		Rand: rand.New(rand.NewPCG(seed, seed)),
	}
}

// Root writes the built-in root file system into a directory of the test.
func Root(t testing.TB) string {
	t.Helper()
	lab, err := program.Path(t.Context(), "lab")
	require.NoError(t, err)
	dir := t.TempDir()
	// The container's root may be somebody else outside: it has to get through
	// the test's directory, of which this is a part.
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755)) //nolint:gosec // see above
	root := filepath.Join(dir, "root")
	out, err := exec.CommandContext(t.Context(), lab, "rootfs", root).CombinedOutput()
	require.NoError(t, err, string(out))
	return root
}
