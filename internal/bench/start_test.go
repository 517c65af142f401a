//go:build linux

package bench

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lab/internal/check/checktest"
	"lab/internal/course"
	"lab/internal/need"
	"lab/internal/program"
	"lab/internal/sandbox"
)

// TestMain runs the benchmarks in a throw-away host.
func TestMain(m *testing.M) { os.Exit(sandbox.Run(host{m})) }

// host is a throw-away host with all controllers that runc asks for.
type host struct{ *testing.M }

// Controllers names those beside memory, cpu and pids.
func (host) Controllers() []string {
	return []string{"blkio", "cpuacct", "cpuset", "devices", "freezer"}
}

// namespaces are the flags with which unshare(1) makes the namespaces of a
// step.
func namespaces(step string) []string {
	flags := []string{"--uts", "--fork", "--pid", "--mount", "--net", "--cgroup", "--user"}
	count := map[string]int{
		"01-uts": 1, "02-pid": 3, "03-mount": 4, "04-net": 5, "05-cgroups": 6,
		"06-unionfs": 6, "07-volumes": 6, "08-user": 6,
	}[step]
	return flags[:count]
}

// BenchmarkStart starts a tiny static program in each step's container and by
// unshare(1) with the same namespaces, in turns. It reports the medians until
// the program runs, and what the step adds, in milliseconds.
func BenchmarkStart(b *testing.B) {
	need.Tool(b, "unshare", "util-linux")
	root := checktest.Root(b)
	require.NoError(b, os.WriteFile(filepath.Join(root, "bin", "exit0"), payload(b), 0o755))
	for _, step := range course.Steps() {
		b.Run(step.ID, func(b *testing.B) {
			path, err := program.Path(b.Context(), step.ID)
			require.NoError(b, err)
			payload := filepath.Join(root, "bin", "exit0")
			ours := []string{path, "run"}
			if step.Rootfs {
				ours = append(ours, "-rootfs", root, "/bin/exit0")
			} else {
				ours = append(ours, payload)
			}
			theirs := append([]string{"unshare"}, namespaces(step.ID)...)
			a, u := alternate(b, ours, append(theirs, payload))
			b.ReportMetric(a, "step-ms")
			b.ReportMetric(u, "unshare-ms")
			b.ReportMetric(a-u, "added-ms")
			b.ReportMetric(0, "ns/op") // says nothing here
		})
	}
}

// alternate runs two commands in turns, at least 20 times each, and returns
// the medians in milliseconds.
func alternate(b *testing.B, first, second []string) (medianFirst, medianSecond float64) {
	b.Helper()
	var one, two []float64
	for range max(b.N, 20) {
		one = append(one, milliseconds(b, first))
		two = append(two, milliseconds(b, second))
	}
	return median(one), median(two)
}

// milliseconds runs a command and returns how long it took until the payload
// ran. How it ends is not measured.
func milliseconds(b *testing.B, command []string) float64 {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), command[0], command[1:]...)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(b, err)
	began := time.Now()
	require.NoError(b, cmd.Start())
	_, err = stdout.Read(make([]byte, 1))
	took := time.Since(began)
	require.NoError(b, err)
	require.NoError(b, cmd.Wait(), "%v", command)
	return float64(took.Microseconds()) / 1000
}

// median returns the middle of some numbers.
func median(numbers []float64) float64 {
	slices.Sort(numbers)
	return numbers[len(numbers)/2]
}
