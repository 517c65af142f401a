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

// BenchmarkTrace starts a tiny static program in the container of a step, alone and
// under lab trace, in turns; the same with a stop at every call, and under
// strace -f. It reports the medians until the program runs, in milliseconds, and how
// many times as long as alone it takes.
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
			for name, tracer := range map[string][]string{
				"trace":  {lab, "trace", "-o", os.DevNull, "--"},
				"stops":  {lab, "trace", "--stops", "-o", os.DevNull, "--"},
				"strace": {"strace", "-f", "-o", os.DevNull},
			} {
				base, traced := alternate(b, alone, append(tracer, alone...))
				b.ReportMetric(traced, name+"-ms")
				b.ReportMetric(traced/base, name+"-times")
			}
			b.ReportMetric(0, "ns/op") // says nothing here
		})
	}
}
