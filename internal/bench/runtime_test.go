//go:build linux

package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"lab/internal/need"
	"lab/internal/program"
)

// peer is a runtime, and what it is told before the verb.
type peer struct {
	name    string
	command []string
}

// bundles are what all runtimes are given: one root with the payloads, and a
// configuration for each of them.
type bundles struct {
	b     *testing.B
	peers map[string]peer
	dir   string
	runs  int // of how many the next container is
	times int // how often each runtime is measured
}

// newBundles finds the runtimes. Each keeps its state in a directory of its own.
func newBundles(b *testing.B, cgroups bool) *bundles {
	b.Helper()
	need.Sandbox(b)
	hideUnified(b)
	minirun, err := program.Path(b.Context(), "minirun")
	require.NoError(b, err)
	// State belongs into /run, which is in memory, and not where TempDir is.
	dir, err := os.MkdirTemp("/run", "bench") //nolint:usetesting // see above
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, os.RemoveAll(dir)) })
	all := &bundles{b: b, dir: dir, peers: map[string]peer{}, times: max(b.N, 20)}
	if testing.Short() {
		all.times = 10
	}
	crun := []string{need.Tool(b, "crun", "crun")}
	if !cgroups {
		crun = append(crun, "--cgroup-manager=disabled")
	}
	for name, command := range map[string][]string{
		"minirun": {minirun}, "crun": crun, "runc": {need.Tool(b, "runc", "runc")},
	} {
		all.peers[name] = peer{name, append(command, "--root", filepath.Join(all.dir, name))}
	}
	root := filepath.Join(all.dir, "rootfs")
	for _, dir := range []string{"proc", "dev", "sys"} {
		require.NoError(b, os.MkdirAll(filepath.Join(root, dir), 0o755))
	}
	require.NoError(b, os.WriteFile(filepath.Join(root, "exit"), exit(b), 0o755))
	require.NoError(b, os.WriteFile(filepath.Join(root, "idle"), idle(b), 0o755))
	return all
}

// bundle writes a configuration: the namespaces and mounts that engines ask for.
func (all *bundles) bundle(command string, limit int64) string {
	all.b.Helper()
	dir := filepath.Join(all.dir, fmt.Sprintf("%s-%d", command, limit))
	config := &specs.Spec{
		Version: "1.0.2", Root: &specs.Root{Path: filepath.Join(all.dir, "rootfs")},
		Process:  &specs.Process{Args: []string{"/" + command}, Cwd: "/", NoNewPrivileges: true},
		Hostname: "bench",
		Linux: &specs.Linux{
			MaskedPaths:   []string{"/proc/kcore", "/proc/keys", "/sys/firmware"},
			ReadonlyPaths: []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys"},
		},
		Mounts: []specs.Mount{
			{Destination: "/proc", Type: "proc", Source: "proc"},
			{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid"}},
			{
				Destination: "/dev/pts", Type: "devpts", Source: "devpts",
				Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666"},
			},
			{Destination: "/dev/shm", Type: "tmpfs", Source: "shm"},
			{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue"},
			{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"ro"}},
		},
	}
	for _, kind := range []specs.LinuxNamespaceType{"pid", "network", "ipc", "uts", "mount"} {
		config.Linux.Namespaces = append(config.Linux.Namespaces,
			specs.LinuxNamespace{Type: kind})
	}
	if limit > 0 {
		config.Linux.Resources = &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &limit}}
	}
	text, err := json.Marshal(config)
	require.NoError(all.b, err)
	require.NoError(all.b, os.MkdirAll(dir, 0o755))
	require.NoError(all.b, os.WriteFile(filepath.Join(dir, "config.json"), text, 0o644))
	return dir
}

// id is a name that no container has had.
func (all *bundles) id() string {
	all.runs++
	return fmt.Sprintf("bench-%d-%d", os.Getpid(), all.runs)
}

// command is a runtime with arguments. It may clean up when the own context has ended.
func (all *bundles) command(name string, args ...string) *exec.Cmd {
	words := append(append([]string{}, all.peers[name].command...), args...)
	return exec.CommandContext(context.Background(), words[0], words[1:]...)
}

// do runs a runtime and returns what it took.
func (all *bundles) do(name string, args ...string) cost {
	all.b.Helper()
	// A file: a container that stays keeps what it gets open.
	said, err := os.Create(filepath.Join(all.dir, "said"))
	require.NoError(all.b, err)
	defer said.Close()
	cmd := all.command(name, args...)
	cmd.Stderr = said
	began := time.Now()
	err = cmd.Run()
	took := cost{clock: time.Since(began)}
	if err != nil {
		text, _ := os.ReadFile(said.Name()) // it is for the message alone
		require.NoError(all.b, err, "%v: %s", cmd.Args, text)
	}
	took.processor = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return took
}

// stay starts a container that stays until the benchmark has ended.
func (all *bundles) stay(name, bundle, id string) cost {
	all.b.Helper()
	took := all.do(name, "run", "--detach", "--bundle", bundle, id)
	all.b.Cleanup(func() { all.do(name, "delete", "--force", id) })
	return took
}

// BenchmarkRuntimes compares minirun with its peers: always in turns, in one run.
func BenchmarkRuntimes(b *testing.B) {
	b.Run("run", benchmarkRun)
	b.Run("memory", benchmarkMemory)
	b.Run("limit", benchmarkLimit)
	b.Run("exec", benchmarkExec)
	b.Run("idle", benchmarkIdle)
}

// benchmarkRun runs and removes a container that has no cgroup.
func benchmarkRun(b *testing.B) {
	all := newBundles(b, false)
	dir := all.bundle("exit", 0)
	all.compare(func(name string) cost {
		return all.do(name, "run", "--bundle", dir, all.id())
	}, target{what: "run and delete, without a cgroup", peer: "crun", most: 0.70})
}

// benchmarkMemory tells the most memory that `run` has held while its container stays.
// Another process may exit before it; the kernel counts from execve(2) on.
//
//	VmHWM:	    3456 kB
func benchmarkMemory(b *testing.B) {
	all := newBundles(b, false)
	const most = 4.0
	for _, name := range []string{"minirun", "crun"} {
		id := all.id()
		cmd := all.command(name, "run", "--bundle", all.bundle("idle", 0), id)
		require.NoError(b, cmd.Start())
		require.Eventually(b, func() bool {
			out, err := all.command(name, "state", id).Output()
			return err == nil && strings.Contains(string(out), `"running"`)
		}, time.Minute, time.Millisecond)
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
		require.NoError(b, err)
		_, after, found := strings.Cut(string(text), "VmHWM:")
		require.True(b, found)
		var kib float64
		_, err = fmt.Sscan(after, &kib)
		require.NoError(b, err)
		all.do(name, "delete", "--force", id)
		_ = cmd.Wait() // its container was killed
		fmt.Printf("  %-34s %-7s %8.2f MB   target for minirun %.2f\n",
			"most memory of run", name, kib/1024, most)
		if name == "minirun" && kib/1024 > 2*most {
			b.Errorf("run held %.0f KiB", kib)
		}
	}
	b.ReportMetric(0, "ns/op") // says nothing here
}

// benchmarkLimit does it with a memory limit, alone on a machine that has rested: a
// process that is moved into a cgroup waits for the kernel's next grace period then.
func benchmarkLimit(b *testing.B) {
	all := newBundles(b, true)
	need.Cgroup(b, "memory")
	dir := all.bundle("exit", 64<<20)
	all.compare(func(name string) cost {
		time.Sleep(60 * time.Millisecond)
		return all.do(name, "run", "--bundle", dir, all.id())
	}, target{what: "run and delete, memory limit", peer: "crun", most: 0.30, rested: true},
		target{what: "run and delete, memory limit", peer: "runc", most: 0.20, rested: true})
}

// hideUnified covers the tree of cgroup version 2 in a hybrid: crun 1.8.1 refuses one
// that owns a controller. This host is a throw-away one.
func hideUnified(b *testing.B) {
	b.Helper()
	const unified = "/sys/fs/cgroup/unified"
	if _, err := os.Stat(unified); err != nil {
		return
	}
	require.NoError(b, unix.Mount("tmpfs", unified, "tmpfs", 0, ""))
	b.Cleanup(func() { require.NoError(b, unix.Unmount(unified, 0)) })
}

// benchmarkExec executes one more command in a container that runs.
func benchmarkExec(b *testing.B) {
	all := newBundles(b, false)
	dir, ids := all.bundle("idle", 0), map[string]string{}
	for _, name := range []string{"minirun", "crun"} {
		ids[name] = all.id()
		all.stay(name, dir, ids[name])
	}
	all.compare(func(name string) cost {
		return all.do(name, "exec", ids[name], "/exit")
	}, target{what: "exec", peer: "crun", most: 0.70})
}

// benchmarkIdle starts containers that stay, beside ever more of them.
func benchmarkIdle(b *testing.B) {
	all := newBundles(b, false)
	all.times *= 10
	dir := all.bundle("idle", 0)
	all.compare(func(name string) cost {
		return all.stay(name, dir, all.id())
	}, target{what: fmt.Sprintf("start beside %d that stay", all.times), peer: "crun", most: 0.60})
}
