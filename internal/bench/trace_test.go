//go:build linux

package bench

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"lab/internal/check/checktest"
	"lab/internal/need"
	"lab/internal/program"
)

// BenchmarkTrace starts a tiny static program in the container of a step, alone,
// under lab trace and under strace -f, in turns. It reports the medians until the
// program runs, in milliseconds, and how many times as long it takes traced.
func BenchmarkTrace(b *testing.B) {
	need.Tool(b, "strace", "strace")
	root := checktest.Root(b)
	require.NoError(b, os.WriteFile(filepath.Join(root, "bin", "exit0"), payload(b), 0o755))
	lab, err := program.Path(b.Context(), "lab")
	require.NoError(b, err)
	for _, step := range []string{"01-uts", "03-mount", "08-user"} {
		b.Run(step, func(b *testing.B) {
			path, err := program.Path(b.Context(), step)
			require.NoError(b, err)
			alone := []string{path, "run", filepath.Join(root, "bin", "exit0")}
			if step != "01-uts" {
				alone = []string{path, "run", "-rootfs", root, "/bin/exit0"}
			}
			traced := append([]string{lab, "trace", "-o", os.DevNull, "--"}, alone...)
			straced := append([]string{"strace", "-f", "-o", os.DevNull}, alone...)
			base, ours := alternate(b, alone, traced)
			_, theirs := alternate(b, alone, straced)
			b.ReportMetric(base, "alone-ms")
			b.ReportMetric(ours, "trace-ms")
			b.ReportMetric(theirs, "strace-ms")
			b.ReportMetric(ours/base, "times")
			b.ReportMetric(0, "ns/op") // says nothing here
		})
	}
}
