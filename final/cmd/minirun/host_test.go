package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"lab/final/internal/spec"
	"lab/internal/baseroot"
	"lab/internal/need"
	"lab/internal/program"
	"lab/internal/sandbox"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { os.Exit(sandbox.Run(host{m})) }

// host is the throw-away host with cgroups of its own in each hierarchy of version 1
// that a container joins; elsewhere other tests would see them come and go.
type host struct{ *testing.M }

// Controllers names what few tests need beside memory, cpu and pids.
func (host) Controllers() []string {
	return []string{"blkio", "cpuacct", "cpuset", "devices", "freezer"}
}

// long is more than anything here takes, also on a machine with much else to do.
const long = 2 * time.Minute

// binary builds minirun once.
var binary = sync.OnceValues(func() (string, error) {
	return program.Path(context.Background(), "minirun")
})

// root writes the root file system that all containers here share.
var root = sync.OnceValues(func() (string, error) {
	// It outlives the test that asks first, and goes with the throw-away host.
	dir, err := os.MkdirTemp("/run", "minirun-root")
	if err != nil {
		return "", err
	}
	lab, err := program.Path(context.Background(), "lab")
	if err != nil {
		return "", err
	}
	return dir, baseroot.Write(dir, baseroot.Source{Lab: lab})
})

// engine drives minirun by its command line alone, as engines do.
type engine struct {
	t       *testing.T
	minirun string
	state   string // --root
	bundle  string
	config  *specs.Spec
}

// newEngine is an engine with a bundle, whose command is what follows.
func newEngine(t *testing.T, command ...string) *engine {
	t.Helper()
	need.Sandbox(t)
	path, err := binary()
	require.NoError(t, err)
	rootfs, err := root()
	require.NoError(t, err)
	config := spec.Example()
	config.Root.Path = rootfs
	config.Process.Terminal = false
	config.Process.Args = command
	// The throw-away host has no devices controller; who needs limits adds them.
	config.Linux.Resources = nil
	config.Mounts = config.Mounts[:len(config.Mounts)-1] // cgroup
	for i := range config.Mounts {
		withoutGroup(&config.Mounts[i])
	}
	e := &engine{
		t: t, minirun: path, state: filepath.Join(t.TempDir(), "state"),
		bundle: t.TempDir(), config: config,
	}
	t.Cleanup(e.clean)
	return e
}

// ownUsers has the container make a user namespace, in which root is who we are.
func (e *engine) ownUsers() {
	e.config.Linux.Namespaces = append(e.config.Linux.Namespaces,
		specs.LinuxNamespace{Type: specs.UserNamespace})
	one := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 0, Size: 1}}
	e.config.Linux.UIDMappings, e.config.Linux.GIDMappings = one, one
}

// withoutGroup takes the group of terminals from a mount: an ordinary user's
// throw-away host does not know it.
func withoutGroup(m *specs.Mount) {
	var left []string
	for _, word := range m.Options {
		if word != "gid=5" {
			left = append(left, word)
		}
	}
	m.Options = left
}

// clean removes what is left and fails if that cannot be done.
func (e *engine) clean() {
	entries, err := os.ReadDir(e.state)
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	require.NoError(e.t, err)
	for _, entry := range entries {
		e.ok("delete", "--force", entry.Name())
	}
	e.empty()
}

// empty makes sure that no container is left.
func (e *engine) empty() {
	e.t.Helper()
	entries, err := os.ReadDir(e.state)
	require.NoError(e.t, err)
	require.Empty(e.t, entries)
}

// write writes the configuration.
func (e *engine) write() {
	e.t.Helper()
	text, err := json.Marshal(e.config)
	require.NoError(e.t, err)
	require.NoError(e.t, os.WriteFile(filepath.Join(e.bundle, spec.File), text, 0o644))
}

// result is how minirun has ended.
type result struct {
	status   int
	out, err string
}

// do runs minirun.
func (e *engine) do(args ...string) result {
	e.t.Helper()
	return e.finish(e.command(args...))
}

// command is minirun with arguments, not yet started. What waits for it does not wait
// for a container that keeps its output.
func (e *engine) command(args ...string) *exec.Cmd {
	e.t.Helper()
	// Cleaning up comes when the test's own context has ended.
	ctx, cancel := context.WithTimeout(context.Background(), long)
	e.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, e.minirun, append([]string{"--root", e.state}, args...)...)
	cmd.Dir = e.bundle
	return cmd
}

// finish runs a command to its end. Output goes to files: a container that lives on
// keeps them open, and nobody waits for that.
func (e *engine) finish(cmd *exec.Cmd) result {
	e.t.Helper()
	dir := e.t.TempDir()
	var files [2]*os.File
	for i := range files {
		var err error
		files[i], err = os.Create(filepath.Join(dir, strconv.Itoa(i)))
		require.NoError(e.t, err)
		defer files[i].Close()
	}
	cmd.Stdout, cmd.Stderr = files[0], files[1]
	err := cmd.Run()
	if _, isExit := errors.AsType[*exec.ExitError](err); err != nil && !isExit {
		require.NoError(e.t, err)
	}
	var texts [2]string
	for i, file := range files {
		text, err := os.ReadFile(file.Name())
		require.NoError(e.t, err)
		texts[i] = string(text)
	}
	return result{cmd.ProcessState.ExitCode(), texts[0], texts[1]}
}

// ok runs minirun, which has to succeed, and returns what it prints.
func (e *engine) ok(args ...string) string {
	e.t.Helper()
	r := e.do(args...)
	require.Zero(e.t, r.status, "minirun %s: %s%s", strings.Join(args, " "), r.out, r.err)
	return r.out
}

// run runs the bundle to its end.
func (e *engine) run() result {
	e.t.Helper()
	e.write()
	return e.do("run", "web")
}

// begin creates and starts the bundle and returns the number of its init.
func (e *engine) begin() int {
	e.t.Helper()
	e.write()
	e.ok("create", "--pid-file", filepath.Join(e.bundle, "pid"), "web")
	e.ok("start", "web")
	text, err := os.ReadFile(filepath.Join(e.bundle, "pid"))
	require.NoError(e.t, err)
	pid, err := strconv.Atoi(string(text))
	require.NoError(e.t, err)
	return pid
}

// status is what state says of the container.
func (e *engine) status() string {
	e.t.Helper()
	var state specs.State
	require.NoError(e.t, json.Unmarshal([]byte(e.ok("state", "web")), &state))
	return string(state.Status)
}

// stops waits until the container has stopped.
func (e *engine) stops() {
	e.t.Helper()
	require.Eventually(e.t, func() bool { return e.status() == "stopped" }, long, time.Millisecond)
}

// proc reads a file of a process.
func proc(t *testing.T, pid int, name string) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
	require.NoError(t, err)
	return string(text)
}

// field returns a line of /proc/PID/status without its name.
//
//	CapEff:	00000000a80425fb
func field(t *testing.T, pid int, name string) string {
	t.Helper()
	for line := range strings.Lines(proc(t, pid, "status")) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.Join(strings.Fields(value), " ")
		}
	}
	t.Fatalf("/proc/%d/status has no %s", pid, name)
	return ""
}

// namespace returns the name of one of a process's namespaces.
func namespace(t *testing.T, pid int, kind string) string {
	t.Helper()
	name, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, kind))
	require.NoError(t, err)
	return name
}

// mounts returns the last line of a process's mount table for each place.
//
//	4422 4410 0:57 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
func mounts(t *testing.T, pid int) map[string]string {
	t.Helper()
	table := map[string]string{}
	for line := range strings.Lines(proc(t, pid, "mountinfo")) {
		fields := bytes.Fields([]byte(line))
		table[string(fields[4])] = strings.TrimSpace(line)
	}
	return table
}
