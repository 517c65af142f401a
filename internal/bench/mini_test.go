//go:build linux

package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"lab/internal/need"
	"lab/internal/program"
)

// BenchmarkMini compares mini with podman: always in turns, in one run.
// Each gets its containers no network, for podman's needs programs of its own.
func BenchmarkMini(b *testing.B) {
	b.Run("run", benchmarkMiniRun)
	b.Run("exec", benchmarkMiniExec)
	b.Run("up", benchmarkMiniUp)
	b.Run("import", benchmarkMiniImport)
}

// rounds is how often something is measured at most as often as that; 0 when this is the
// call by which package testing finds out whether there is more to come.
func rounds(b *testing.B, most int) int {
	b.Helper()
	if b.N == 1 {
		return 0
	}
	return min(b.N, most)
}

// engines are mini and podman, which keep all in directories of their own.
type engines struct {
	b        *testing.B
	dir      string
	commands map[string][]string
}

// newEngines gives both the image base.
func newEngines(b *testing.B) *engines {
	b.Helper()
	need.RealRoot(b)
	need.Sandbox(b)
	hideUnified(b)
	paths, err := program.Paths(b.Context(), "mini", "minirun")
	require.NoError(b, err)
	dir, err := os.MkdirTemp("/run", "bench") //nolint:usetesting // Paths of sockets are short.
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, os.RemoveAll(dir)) })
	config := "[engine]\nlock_type = \"file\"\nevents_logger = \"file\"\n" +
		"[containers]\nlog_driver = \"k8s-file\"\n"
	file := filepath.Join(dir, "containers.conf")
	require.NoError(b, os.WriteFile(file, []byte(config), 0o600))
	b.Setenv("CONTAINERS_CONF", file)
	e := &engines{b: b, dir: dir}
	e.commands = map[string][]string{
		"mini":   {paths["mini"], "--root", dir + "/m", "--state", dir + "/s"},
		"podman": e.podman(),
	}
	b.Cleanup(e.forget)
	archive := filepath.Join(dir, "base.tar")
	e.do("mini", "save", "-o", archive, "base")
	e.do("podman", "load", "-i", archive)
	return e
}

// podman is podman with a store of its own.
func (e *engines) podman() []string {
	at := filepath.Join(e.dir, "p")
	return []string{
		need.Tool(e.b, "podman", "podman"), "--root", at + "/root", "--runroot", at + "/run",
		"--tmpdir", at + "/tmp", "--storage-driver", "overlay",
		"--cgroup-manager", "cgroupfs", "--events-backend", "file",
	}
}

// forget undoes what podman leaves: a mount of its store, and cgroups of nobody's.
func (e *engines) forget() {
	e.b.Helper()
	_ = unix.Unmount(e.dir+"/p/root/overlay", unix.MNT_DETACH) // not every podman makes it
	for _, pattern := range []string{"libpod_parent/*", "libpod_parent"} {
		left, err := filepath.Glob("/sys/fs/cgroup/*/" + pattern)
		require.NoError(e.b, err)
		for _, path := range left {
			if info, err := os.Stat(path); err == nil && info.IsDir() {
				require.Eventually(e.b, func() bool {
					err := os.Remove(path)
					return err == nil || errors.Is(err, os.ErrNotExist)
				}, time.Minute, 10*time.Millisecond, path)
			}
		}
	}
}

// do runs an engine and returns how long it took, in milliseconds.
func (e *engines) do(name string, args ...string) float64 {
	e.b.Helper()
	took := e.spend(append(append([]string{}, e.commands[name]...), args...)...)
	return float64(took.clock.Microseconds()) / 1000
}

// spend runs a command. What it says goes into a file, for what stays keeps it open. It may
// clean up when the own context has ended.
func (e *engines) spend(words ...string) cost {
	e.b.Helper()
	said, err := os.Create(filepath.Join(e.dir, "said"))
	require.NoError(e.b, err)
	defer said.Close()
	cmd := exec.CommandContext(context.Background(), words[0], words[1:]...)
	cmd.Stdout, cmd.Stderr = said, said
	began := time.Now()
	err = cmd.Run()
	took := time.Since(began)
	if err != nil {
		text, _ := os.ReadFile(said.Name()) // it is for the message alone
		require.NoError(e.b, err, "%v: %s", cmd.Args, text)
	}
	return cost{took, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
}

// turns measures both and prints medians and ratio.
func (e *engines) turns(what string, most float64, once func(name string) float64) {
	e.b.Helper()
	took := map[string][]float64{}
	for range rounds(e.b, 20) {
		for _, name := range []string{"mini", "podman"} {
			took[name] = append(took[name], once(name))
		}
	}
	e.judge(what, took["mini"], "podman", took["podman"], most)
}

// judge prints medians and the ratio beside its target. Twice of that is a failure.
func (e *engines) judge(what string, ours []float64, peer string, theirs []float64, most float64) {
	e.b.Helper()
	if len(ours) == 0 {
		return
	}
	ratio := median(ours) / median(theirs)
	fmt.Printf("  %-26s mini %8.0f ms   %-12s %8.0f ms   ratio %.2f   target %.2f\n",
		what, median(ours), peer, median(theirs), ratio, most)
	e.b.ReportMetric(ratio, "of-"+strings.ReplaceAll(peer, " ", ""))
	e.b.ReportMetric(0, "ns/op") // says nothing here
	if ratio > 2*most {
		e.b.Errorf("%s: %.2f of %s's time is more than twice the target", what, ratio, peer)
	}
}

// benchmarkMiniRun makes, starts and removes a container.
func benchmarkMiniRun(b *testing.B) {
	e := newEngines(b)
	e.turns("run --rm base true", 0.15, func(name string) float64 {
		return e.do(name, "run", "--rm", "--network", "none", "base", "true")
	})
}

// benchmarkMiniExec executes one more command in a container that runs.
func benchmarkMiniExec(b *testing.B) {
	e := newEngines(b)
	for name := range e.commands {
		e.do(name, "run", "-d", "--name", "web", "--network", "none", "base", "sleep", "1000")
		b.Cleanup(func() { e.do(name, "rm", "--force", "web") })
	}
	e.turns("exec web true", 0.2, func(name string) float64 {
		return e.do(name, "exec", "web", "true")
	})
}

// benchmarkMiniUp starts containers that stay, one after the other, and tells how much
// memory a monitor of mini's takes, each page shared out among those who have it.
func benchmarkMiniUp(b *testing.B) {
	many := rounds(b, 20) * 5 / 2
	e, took, pss := newEngines(b), map[string]float64{}, 0.0
	for name := range e.commands {
		for i := range many {
			id := fmt.Sprint("c", i)
			took[name] += e.do(name, "run", "-d", "--name", id, "--network", "none", "base",
				"sleep", "1000")
			b.Cleanup(func() { e.do(name, "rm", "--force", id) })
		}
	}
	if many == 0 {
		return
	}
	for i := range many {
		pss += e.monitor(fmt.Sprint("c", i))
	}
	e.judge(fmt.Sprintf("start %d that stay", many), []float64{took["mini"]}, "podman",
		[]float64{took["podman"]}, 0.25)
	fmt.Printf("  %-26s mini %8.1f MB   target 6\n", "a monitor's memory (PSS)",
		pss/float64(many)/1024)
}

// monitor returns the memory of a container's monitor in KiB, as the kernel shares it out:
//
//	Pss:                3456 kB
func (e *engines) monitor(container string) (kib float64) {
	e.b.Helper()
	words := append(append([]string{}, e.commands["mini"]...), "inspect", "--format",
		"{{.State.Monitor.Pid}}", container)
	pid, err := exec.CommandContext(e.b.Context(), words[0], words[1:]...).Output()
	require.NoError(e.b, err)
	text, err := os.ReadFile("/proc/" + strings.TrimSpace(string(pid)) + "/smaps_rollup")
	require.NoError(e.b, err)
	_, after, found := strings.Cut(string(text), "\nPss:")
	require.True(e.b, found)
	_, err = fmt.Sscan(after, &kib)
	require.NoError(e.b, err)
	return kib
}
