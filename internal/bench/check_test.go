//go:build linux

package bench

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lab/internal/course"
	"lab/internal/need"
	"lab/internal/program"
)

// BenchmarkCheck has `lab check` judge each step's reference program. It reports, in
// milliseconds, the medians of what a learner waits for: until the last of the step's
// own checks has answered, and until those of all its ancestors have.
func BenchmarkCheck(b *testing.B) {
	need.Sandbox(b)
	const rounds = 3 // each takes seconds
	lab, err := program.Path(b.Context(), "lab")
	require.NoError(b, err)
	for _, step := range course.Steps() {
		b.Run(step.ID, func(b *testing.B) {
			path, err := program.Path(b.Context(), step.ID)
			require.NoError(b, err)
			var own, all []float64
			for range rounds {
				o, a := checked(b, lab, step.ID, path)
				own, all = append(own, o), append(all, a)
			}
			b.ReportMetric(median(own), "own-checks-ms")
			b.ReportMetric(median(all), "with-ancestors-ms")
			b.ReportMetric(0, "ns/op") // says nothing here
		})
	}
}

// checked runs `lab check --json` and returns when the last of the step's own checks
// answered and when the command ended.
//
//	{"event":"check","step":"01-uts","name":"its host name is …","verdict":"pass","ms":21}
func checked(b *testing.B, lab, step, path string) (own, all float64) {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), lab, "check", step, "--program", path, "--json")
	cmd.Env = append(os.Environ(), "HOME="+b.TempDir())
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(b, err)
	began := time.Now()
	require.NoError(b, cmd.Start())
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		var event struct{ Event, Step, Verdict string }
		require.NoError(b, json.Unmarshal(lines.Bytes(), &event))
		require.NotEqual(b, "fail", event.Verdict, lines.Text())
		if event.Event == "check" && event.Step == step {
			own = float64(time.Since(began).Milliseconds())
		}
	}
	require.NoError(b, cmd.Wait())
	return own, float64(time.Since(began).Milliseconds())
}
