//go:build linux

package bench

import (
	"bufio"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"lab/internal/need"
	"lab/internal/program"
)

// crowd starts a thousand processes that sleep and end with the benchmark.
func crowd(b *testing.B) {
	b.Helper()
	const script = "i=0; while [ $i -lt 1000 ]; do sleep 1000 & i=$((i+1)); done; echo; wait"
	cmd := exec.CommandContext(b.Context(), "sh", "-c", script)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }
	stdout, err := cmd.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, cmd.Start())
	b.Cleanup(func() { _ = cmd.Wait() }) // the signal is its status
	_, err = bufio.NewReader(stdout).ReadString('\n')
	require.NoError(b, err)
}

// whole runs a command and returns how long it took, in milliseconds.
func whole(b *testing.B, command ...string) float64 {
	b.Helper()
	began := time.Now()
	out, err := exec.CommandContext(b.Context(), command[0], command[1:]...).CombinedOutput()
	took := time.Since(began)
	require.NoError(b, err, string(out))
	return float64(took.Microseconds()) / 1000
}

// BenchmarkInspect shows the page of a process, and ps(1) its line, in turns. It
// reports the medians in milliseconds.
func BenchmarkInspect(b *testing.B) {
	ps := need.Tool(b, "ps", "procps")
	lab, err := program.Path(b.Context(), "lab")
	require.NoError(b, err)
	pid := strconv.Itoa(os.Getpid())
	var ours, theirs []float64
	for range max(b.N, 20) {
		ours = append(ours, whole(b, lab, "inspect", pid))
		theirs = append(theirs, whole(b, ps, "-f", "-p", pid))
	}
	b.ReportMetric(median(ours), "inspect-ms")
	b.ReportMetric(median(theirs), "ps-ms")
	b.ReportMetric(0, "ns/op") // says nothing here
}

// BenchmarkNS lists all namespaces among a thousand processes, and so does
// lsns(8), in turns. It reports the medians in milliseconds.
func BenchmarkNS(b *testing.B) {
	need.Sandbox(b)
	lsns := need.Tool(b, "lsns", "util-linux")
	lab, err := program.Path(b.Context(), "lab")
	require.NoError(b, err)
	crowd(b)
	var ours, theirs []float64
	for range max(b.N, 20) {
		ours = append(ours, whole(b, lab, "ns", "--all"))
		theirs = append(theirs, whole(b, lsns))
	}
	b.ReportMetric(median(ours), "ns-ms")
	b.ReportMetric(median(theirs), "lsns-ms")
	b.ReportMetric(0, "ns/op") // says nothing here
}
