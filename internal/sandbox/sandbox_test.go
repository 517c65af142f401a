package sandbox_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"lab/internal/need"
	"lab/internal/sandbox"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestMain runs the tests on the machine itself: they look at sandboxes from
// outside. A test starts this binary again with a scenario, which is what a
// package's tests would be.
func TestMain(m *testing.M) {
	switch name := os.Getenv(scenarioVariable); name {
	case "":
	case "tests":
		os.Exit(sandbox.Run(m))
	case "testscript":
		testscript.Main(sandbox.Wrap(scenario("hello")), map[string]func(){
			"hello": func() { fmt.Println("active:", sandbox.Active()) },
		})
	default:
		os.Exit(sandbox.Run(scenario(name)))
	}
	os.Exit(m.Run())
}

// outer describes this binary, about to run a scenario in a sandbox.
func outer(t *testing.T, name string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self, "-test.run="+t.Name())
	cmd.Env = append(os.Environ(), scenarioVariable+"="+name)
	return cmd
}

// play runs a scenario to its end.
func play(t *testing.T, cmd *exec.Cmd) (stdout, stderr string, status int) {
	t.Helper()
	var out, errors bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errors
	if err := cmd.Run(); err != nil {
		exit := &exec.ExitError{}
		require.ErrorAs(t, err, &exit)
	}
	return out.String(), errors.String(), cmd.ProcessState.ExitCode()
}

// possible skips a test where no sandbox can be made.
func possible(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		need.UserNS(t)
	}
}

func TestHostIsItsOwn(t *testing.T) {
	possible(t)
	cmd := outer(t, "facts")
	cmd.Dir = t.TempDir()
	cmd.Env = append(cmd.Env, "SANDBOX_KEPT=a b")
	cmd.Stdin = strings.NewReader("from outside")
	defer unix.Umask(unix.Umask(0o027))
	out, stderr, status := play(t, cmd)
	require.Zero(t, status, stderr)
	var inside facts
	require.NoError(t, json.Unmarshal([]byte(out), &inside), out)

	// Every namespace but the clock's is new.
	outside := lookAround()
	for _, kind := range []string{"mnt", "net", "pid", "ipc", "uts"} {
		assert.NotEqual(t, outside.Namespaces[kind], inside.Namespaces[kind], kind)
	}
	user := outside.Namespaces["user"] != inside.Namespaces["user"]
	assert.Equal(t, os.Geteuid() != 0, user, "a user namespace for an ordinary user alone")

	// The tests are init's child, root, and alone.
	assert.True(t, inside.Active)
	assert.Equal(t, 1, inside.Parent)
	assert.Equal(t, 0, inside.UID)
	assert.Equal(t, []string{"1", strconv.Itoa(inside.PID)}, inside.Processes)

	// What was given to the test binary is passed on.
	assert.Equal(t, cmd.Args, inside.Args)
	assert.Equal(t, "from outside", inside.Stdin)
	assert.Equal(t, cmd.Dir, inside.Dir)
	assert.Equal(t, 0o027, inside.Umask)
	assert.Contains(t, inside.Environ, "SANDBOX_KEPT=a b")
	assert.NotContains(t, strings.Join(inside.Environ, "\n"), "LAB_SANDBOX=")
	assert.Subset(t, openFiles(), inside.Open, "no descriptor of the sandbox's own")

	// The network has lo alone, and it is up; /sys shows this network.
	assert.Equal(t, []string{"lo"}, inside.Links)
	assert.True(t, inside.LoopbackUp)
	assert.Empty(t, inside.Shared, "mounts that propagate to the machine")
}

func TestStatusIsPassedOn(t *testing.T) {
	possible(t)
	for name, want := range map[string]int{
		"status 0": 0, "status 7": 7, "die KILL": 137, "die TERM": 143,
	} {
		t.Run(name, func(t *testing.T) {
			_, stderr, status := play(t, outer(t, name))
			assert.Equal(t, want, status, stderr)
		})
	}
}

// testscript makes a directory of commands before the tests and removes it
// after them: in each of the sandbox's stages that go through it.
func TestTestscript(t *testing.T) {
	possible(t)
	cmd := outer(t, "testscript")
	temp := t.TempDir()
	cmd.Env = append(cmd.Env, "TMPDIR="+temp)
	out, stderr, status := play(t, cmd)
	require.Zero(t, status, stderr)
	assert.Equal(t, "active: true\n", out)
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestOrphansAreReaped(t *testing.T) {
	possible(t)
	out, stderr, status := play(t, outer(t, "orphans"))
	require.Zero(t, status, stderr)
	assert.Equal(t, "20 orphans, none left\n", out)
}

// Whatever ends the outer process ends all of them.
func TestNothingOutlivesTheOuterProcess(t *testing.T) {
	possible(t)
	var killed int
	for _, s := range []syscall.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGKILL} {
		t.Run(unix.SignalName(s), func(t *testing.T) {
			cmd := outer(t, "hang")
			token := "SANDBOX_TOKEN=" + t.Name() + strconv.Itoa(os.Getpid())
			cmd.Env = append(cmd.Env, token)
			stdout, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			up := make([]byte, 3)
			_, err = stdout.Read(up)
			require.NoError(t, err)
			require.Equal(t, "up\n", string(up))
			require.Eventually(t, func() bool { return len(withEnv(t, token)) == 4 },
				2*time.Minute, time.Millisecond, "outer, init, tests and their child")

			require.NoError(t, cmd.Process.Signal(s))
			_ = cmd.Wait() // its status is what the signal makes of it
			assert.Eventually(t, func() bool { return len(withEnv(t, token)) == 0 },
				2*time.Minute, 10*time.Millisecond)
			if s == unix.SIGKILL {
				killed = cmd.Process.Pid
				return
			}
			assert.Equal(t, 128+int(s), cmd.ProcessState.ExitCode())
			assert.Empty(t, cgroupsOf(t, cmd.Process.Pid))
		})
	}

	// The outer process that was killed could not remove its cgroups: the next
	// one does, once the kernel has them empty.
	deadline := time.Now().Add(10 * time.Second)
	for again := true; again; again = len(cgroupsOf(t, killed)) > 0 && time.Now().Before(deadline) {
		_, stderr, status := play(t, outer(t, "status 0"))
		require.Zero(t, status, stderr)
	}
	assert.Empty(t, cgroupsOf(t, killed))
}

// withEnv returns the living processes with a variable in their environment.
func withEnv(t *testing.T, variable string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	require.NoError(t, err)
	var found []string
	for _, file := range files {
		environ, err := os.ReadFile(file)
		if err == nil && strings.Contains("\x00"+string(environ), "\x00"+variable+"\x00") {
			found = append(found, filepath.Dir(file))
		}
	}
	return found
}

// cgroupsOf returns the cgroups that an outer process made and did not remove.
func cgroupsOf(t *testing.T, pid int) []string {
	t.Helper()
	name := "lab-test-" + strconv.Itoa(pid) + "-*"
	hierarchies, err := need.Hierarchies()
	require.NoError(t, err)
	var found []string
	for _, h := range hierarchies {
		dirs, err := filepath.Glob(filepath.Join(h.Mount, name))
		require.NoError(t, err)
		found = append(found, dirs...)
	}
	return found
}

// A cgroup made at the top of a hierarchy in the sandbox is one below the
// sandbox's own cgroup on the machine.
func TestCgroupsAreItsOwn(t *testing.T) {
	need.RealRoot(t)
	need.Cgroup(t, "cpu", "memory", "pids")
	name := "made-inside-" + strconv.Itoa(os.Getpid())
	cmd := outer(t, "cgroup "+name)
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	var inside []cgroupFacts
	require.NoError(t, json.NewDecoder(stdout).Decode(&inside))

	for _, controller := range []string{"cpu", "memory", "pids"} {
		outside, ok := hierarchyOf(t, controller)
		require.True(t, ok, controller)
		made, err := filepath.Glob(filepath.Join(outside.Mount, "lab-test-*", name))
		require.NoError(t, err)
		assert.Len(t, made, 1, controller)
	}
	require.NotEmpty(t, inside)
	for _, c := range inside {
		assert.Equal(t, "/", c.Root, "root of %s", c.Mount)
		want := "/"
		if c.Version == 2 {
			want = "/tests"
		}
		assert.Equal(t, want, c.Own, "own cgroup in %s", c.Mount)
		assert.True(t, c.Limited, "a limit can be set in %s", c.Mount)
	}

	require.NoError(t, stdin.Close())
	require.NoError(t, cmd.Wait())
	assert.Empty(t, cgroupsOf(t, cmd.Process.Pid))
}

// An ordinary user to whom a version 2 cgroup was delegated gets a sandbox
// with cgroups, too: beside the leaf in which the outer process is.
func TestDelegatedCgroup(t *testing.T) {
	need.RealRoot(t)
	need.CgroupV2(t)
	need.Cgroup(t, "cpu", "memory", "pids")
	const nobody = 65534
	given := filepath.Join("/sys/fs/cgroup", "lab-delegated-"+strconv.Itoa(os.Getpid()))
	leaf := filepath.Join(given, "leaf")
	require.NoError(t, os.MkdirAll(leaf, 0o755))
	defer func() {
		assert.NoError(t, os.Remove(leaf))
		assert.NoError(t, os.Remove(given))
	}()
	for _, file := range []string{
		"", "cgroup.procs", "cgroup.subtree_control", "leaf", "leaf/cgroup.procs",
	} {
		require.NoError(t, os.Chown(filepath.Join(given, file), nobody, nobody))
	}
	dir, err := os.Open(leaf)
	require.NoError(t, err)
	defer dir.Close()

	cmd := outer(t, "cgroup made-inside")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential:  &syscall.Credential{Uid: nobody, Gid: nobody},
		UseCgroupFD: true, CgroupFD: int(dir.Fd()),
	}
	out, stderr, status := play(t, cmd)
	require.Zero(t, status, out+stderr)
	var inside []cgroupFacts
	require.NoError(t, json.Unmarshal([]byte(out), &inside), out)
	assert.Equal(t, []cgroupFacts{{2, "/sys/fs/cgroup", "/", "/tests", true}}, inside)
	left, err := filepath.Glob(filepath.Join(given, "lab-test-*"))
	require.NoError(t, err)
	assert.Empty(t, left)
}

func hierarchyOf(t *testing.T, controller string) (need.Hierarchy, bool) {
	t.Helper()
	hierarchies, err := need.Hierarchies()
	require.NoError(t, err)
	for _, h := range hierarchies {
		if h.Has(controller) {
			return h, true
		}
	}
	return need.Hierarchy{}, false
}

// What the tests leave behind fails the run and is named.
func TestLeaksFailTheRun(t *testing.T) {
	possible(t)
	_, stderr, status := play(t, outer(t, "leak"))
	assert.Equal(t, 1, status, stderr)
	assert.Contains(t, stderr, "sandbox: the tests left the host changed:\n\t")
	for _, want := range []string{
		"links: bridge link leak0: added",
		"links: network namespace /run/netns/leak: added",
		"mounts: tmpfs on /run/leak: added",
		"processes: process ",
		"settings: kernel.hostname: changed from ",
	} {
		assert.Contains(t, stderr, "\t"+want)
	}
	if hasCgroups() {
		assert.Regexp(t, `\tcgroups: cgroup /\S+/leak: added`, stderr)
	}
}

// hasCgroups reports whether a sandbox of this user has cgroups of its own.
func hasCgroups() bool {
	return need.Look().RealRoot && need.TryCgroup("memory") == nil
}

// A first process that is not in namespaces of its own touches nothing: it is
// given the orders of one, and what it is to keep away from.
func TestOrdersOutsideOfASandbox(t *testing.T) {
	if !insideSandbox(t) {
		return
	}
	before, err := os.ReadFile("/proc/self/mountinfo")
	require.NoError(t, err)
	link, err := os.Readlink("/proc/self/ns/mnt")
	require.NoError(t, err)
	for name, given := range map[string]string{
		"enter":                `{"stage":"enter"}`,
		"init":                 `{"stage":"init"}`,
		"init, told of a host": `{"stage":"init","outside":{"mnt":"` + link + `"}}`,
	} {
		cmd := outer(t, "status 0")
		cmd.Env = append(cmd.Env, "LAB_SANDBOX="+given)
		said, saying, err := os.Pipe()
		require.NoError(t, err)
		cmd.ExtraFiles = []*os.File{saying}
		_, stderr, status := play(t, cmd)
		require.NoError(t, saying.Close())
		word, err := io.ReadAll(said)
		require.NoError(t, err)
		assert.Equal(t, 125, status, name+stderr)
		assert.Contains(t, string(word), "the new host has no mnt namespace of its own", name)
	}
	after, err := os.ReadFile("/proc/self/mountinfo")
	require.NoError(t, err)
	assert.Equal(t, string(before), string(after))
}

// Where namespaces are forbidden the tests run all the same, on the machine,
// and one line says why.
func TestForbiddenNamespaces(t *testing.T) {
	need.UserNS(t)
	inside := outer(t, "active")
	cmd := exec.CommandContext(t.Context(), "sh", "-c",
		`echo 0 >/proc/sys/user/max_pid_namespaces && exec "$0" "$@"`)
	cmd.Args = append(cmd.Args, inside.Args...)
	cmd.Env = inside.Env
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}},
	}
	out, stderr, status := play(t, cmd)
	assert.Zero(t, status)
	assert.Equal(t, "active: false\n", out)
	assert.Equal(t, "sandbox: no throw-away host: clone with new namespaces: "+
		"no space left on device: tests that need one are skipped\n", stderr)
}
