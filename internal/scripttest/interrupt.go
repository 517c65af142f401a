//go:build linux

package scripttest

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"lab/internal/check/checktest"
	"lab/internal/course"
	"lab/internal/inspect"
	"lab/internal/need"
)

// rounds is how often Interrupt interrupts a step.
const rounds = 30

// Interrupt sends SIGINT or SIGTERM to a step at random moments of its first 30
// ms, or as long as a whole run takes where that is longer. Whatever the moment,
// the step has to end, to tell the signal by its exit status, and to leave
// nothing behind. A step that takes a root file system gets one every other time.
func Interrupt(t *testing.T, step string, flags ...string) {
	t.Helper()
	need.Sandbox(t)
	subject := checktest.Subject(t, step)
	subject.Flags = flags
	begin := time.Now()
	_, err := subject.Run(t.Context(), "", nil, subject.Probe(false), "exit", "0")
	require.NoError(t, err)
	longest := max(30*time.Millisecond, time.Since(begin))

	defer hostStays(t)()
	steps := course.UpTo(step)
	hasRoot := steps[len(steps)-1].Rootfs
	for i := range rounds {
		var root []string
		inside := hasRoot && i%2 == 0
		if inside {
			root = []string{"-rootfs", subject.Root}
		}
		after := time.Duration(subject.Rand.Int64N(int64(longest)))
		sig := []unix.Signal{unix.SIGINT, unix.SIGTERM}[subject.Rand.IntN(2)]
		h, err := subject.Start(t.Context(), root, subject.Probe(inside), "hold", "interrupted")
		require.NoError(t, err)
		time.Sleep(after) // the moment is what is tested
		require.NoError(t, h.Signal(sig))
		late := time.AfterFunc(20*time.Second, func() {
			logProcesses(t, h.Program)
			if step == "01-uts" { // it tells in its README how a signal is lost
				_ = h.Signal(sig) // it may have ended after all
			}
		})
		r, err := h.Wait(t.Context())
		late.Stop()
		require.NoError(t, err, "%s after %s", sig, after)
		assert.Equal(t, 128+int(sig), r.Status, "%s after %s: %s", sig, after, r.Stderr)
	}
}

// logProcesses tells what a step that does not end consists of, and which signals its
// processes have not taken yet.
func logProcesses(t *testing.T, program int) {
	t.Helper()
	below, err := inspect.Descendants(program)
	t.Log("20 s after the signal these live:", err)
	for _, pid := range append([]int{program}, below...) {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		t.Logf("%s %v", status, err)
	}
}
