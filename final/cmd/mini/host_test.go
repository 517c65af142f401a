package main_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"lab/internal/need"
	"lab/internal/program"
	"lab/internal/sandbox"
)

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == stepName {
		fmt.Fprintln(os.Stderr, asStep(os.Args))
		os.Exit(1)
	}
	os.Exit(sandbox.Run(host{m}))
}

// host is the throw-away host with cgroups of its own in each hierarchy of version 1 that
// a container joins.
type host struct{ *testing.M }

// Controllers names what containers join beside memory, cpu and pids.
func (host) Controllers() []string {
	return []string{"blkio", "cpuacct", "cpuset", "devices", "freezer"}
}

// Run runs the tests, and ends who played the ordinary user.
func (h host) Run() int {
	status := h.M.Run()
	if dir, err := diskImages(); err == nil {
		_ = os.RemoveAll(dir) // what is left is in the directory of what is temporary
	}
	if isRealRoot() {
		return status
	}
	if cmd, err := ordinary(); err == nil {
		_ = cmd.Process.Kill() // nobody else ends it
		_ = cmd.Wait()         // with the signal
	}
	return status
}

// long is more than anything here takes, also on a machine with much else to do.
const long = 2 * time.Minute

// programs are mini and its runtime, built once.
var programs = sync.OnceValues(func() (map[string]string, error) {
	return program.Paths(context.Background(), "mini", "minirun")
})

// images is a root directory whose image is unpacked once for all tests.
var images = sync.OnceValues(func() (string, error) {
	return os.MkdirTemp("/run", "mini-images")
})

// diskImages is the same on a disk.
var diskImages = sync.OnceValues(func() (string, error) {
	return os.MkdirTemp("", "mini-images")
})

// mini calls mini as a person does, with directories of its own.
type mini struct {
	t           *testing.T
	path        string
	root, state string
	env         []string
	input       string
	as          *syscall.Credential // somebody else than the tests' user
}

// result is what a call came to.
type result struct {
	out, err string
	status   int
}

// newMini is one with no container. When the test ends, none may be left that nobody
// removes, and nothing of them.
func newMini(t *testing.T) *mini {
	t.Helper()
	m := aloneMini(t)
	m.borrowLayers(images)
	return m
}

// lendingMini is one whose files can be shown with other owners. Linux before 6.3 cannot do
// that on a tmpfs, which /run is: its directory is on a disk there.
func lendingMini(t *testing.T) *mini {
	t.Helper()
	var system unix.Utsname
	require.NoError(t, unix.Uname(&system))
	var major, minor int
	_, err := fmt.Sscanf(string(system.Release[:]), "%d.%d", &major, &minor)
	require.NoError(t, err)
	if major > 6 || major == 6 && minor >= 3 {
		return newMini(t)
	}
	m := aloneMini(t)
	m.root = filepath.Join(t.TempDir(), "root")
	m.borrowLayers(diskImages)
	return m
}

// aloneMini is one that has no images either, for tests that remove some.
func aloneMini(t *testing.T) *mini {
	t.Helper()
	need.Sandbox(t)
	need.Overlay(t)
	paths, err := programs()
	require.NoError(t, err)
	// Paths of sockets are short.
	dir, err := os.MkdirTemp("/run", "m") //nolint:usetesting // As said.
	require.NoError(t, err)
	// runc and crun go there as the root of a container with users of its own.
	require.NoError(t, os.Chmod(dir, 0o711)) //nolint:gosec // As said.
	m := &mini{
		t: t, path: paths["mini"], root: filepath.Join(dir, "root"),
		state: filepath.Join(dir, "state"),
	}
	t.Cleanup(func() {
		m.clean()
		// What keeps an ordinary user's namespaces may tidy up there as it ends.
		eventually(t, dir+" goes", func() bool { return os.RemoveAll(dir) == nil })
	})
	return m
}

// borrowLayers has all tests share the layers, which they only read.
func (m *mini) borrowLayers(images func() (string, error)) {
	m.t.Helper()
	shared, err := images()
	require.NoError(m.t, err)
	require.NoError(m.t, os.MkdirAll(m.root, 0o755))
	for _, name := range []string{"layers", "images", "ids"} {
		if name != "ids" { // a file, which the first one writes
			require.NoError(m.t, os.MkdirAll(filepath.Join(shared, name), 0o755))
		}
		require.NoError(m.t, os.Symlink(filepath.Join(shared, name), filepath.Join(m.root, name)))
	}
}

// clean removes all containers.
func (m *mini) clean() {
	m.t.Helper()
	entries, err := os.ReadDir(filepath.Join(m.root, "containers"))
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	require.NoError(m.t, err)
	for _, entry := range entries {
		m.ok("rm", "--force", entry.Name())
	}
	m.empty()
}

// empty makes sure that nothing of a container is left.
func (m *mini) empty() {
	m.t.Helper()
	for _, pattern := range []string{
		m.root + "/containers/*", m.root + "/names/*", m.state + "/????????????*",
	} {
		left, err := filepath.Glob(pattern)
		require.NoError(m.t, err)
		assert.Empty(m.t, left)
	}
}

// command is a call that has not begun.
func (m *mini) command(args ...string) *exec.Cmd {
	all := []string{m.path, "--root", m.root, "--state", m.state}
	if name := os.Getenv(runtimeVariable); name != "" {
		all = append(all, "--runtime", name)
	}
	all = append(all, args...)
	if !isRealRoot() {
		all = append(m.asOrdinaryUser(), all...)
	}
	cmd := exec.Command(all[0], all[1:]...)
	cmd.Env = append(os.Environ(), m.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: m.as}
	return cmd
}

// do calls mini and waits for its end.
func (m *mini) do(args ...string) result {
	m.t.Helper()
	cmd := m.command(args...)
	var out, err bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(m.input), &out, &err
	failure := cmd.Run()
	require.NotNil(m.t, cmd.ProcessState, "%v", failure)
	said := err.String()
	if !isRealRoot() || m.as != nil {
		said = warnings.ReplaceAllString(said, "")
	}
	return result{out.String(), said, cmd.ProcessState.ExitCode()}
}

// ok calls mini, which has to succeed, and returns what it printed.
func (m *mini) ok(args ...string) string {
	m.t.Helper()
	r := m.do(args...)
	require.Zero(m.t, r.status, "mini %s: %s%s", args, r.out, r.err)
	return strings.TrimSuffix(r.out, "\n")
}

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	require.Eventually(t, holds, long, 5*time.Millisecond, what)
}

// needFreezer skips a test where containers cannot be frozen.
func needFreezer(t *testing.T) {
	t.Helper()
	hierarchies, err := need.Hierarchies()
	require.NoError(t, err)
	for _, h := range hierarchies {
		if h.Version == 1 && h.Has("freezer") {
			need.Cgroup(t, "freezer")
			return
		}
	}
	need.Cgroup(t, "pids") // version 2 freezes any cgroup
}
