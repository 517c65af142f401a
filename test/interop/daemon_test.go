package interop

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// daemon starts a program that serves until the function that is returned ends it, and
// waits until it answers. What it says is shown when the test fails.
func daemon(t *testing.T, answers func() bool, name string, args ...string) (stop func()) {
	t.Helper()
	log, err := os.CreateTemp(base+"/tmp", "daemon")
	require.NoError(t, err)
	cmd := command(context.WithoutCancel(t.Context()), name, args...)
	cmd.Stdout, cmd.Stderr = log, log
	require.NoError(t, cmd.Start())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // whether it was needed is seen elsewhere
	}()
	stop = func() { end(t, cmd, ended) }
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			t.Logf("%s said: %s", name, complaints(log.Name()))
		}
		_ = log.Close() // it was written by another
	})
	await(t, func() (bool, string) {
		select {
		case <-ended:
			require.FailNow(t, name+" has ended: "+complaints(log.Name()))
		default:
		}
		return answers(), name + " answers"
	})
	return stop
}

// end ends a daemon, if it has not ended.
func end(t *testing.T, cmd *exec.Cmd, ended <-chan struct{}) {
	t.Helper()
	select {
	case <-ended:
		return
	default:
	}
	_ = cmd.Process.Signal(unix.SIGTERM) // it may just have ended
	select {
	case <-ended:
	case <-time.After(long):
		_ = cmd.Cancel() // as above
		<-ended
		t.Errorf("%s does not end", cmd.Path)
	}
}

// complaints are the lines of a daemon's log that tell of errors.
func complaints(log string) string {
	text, err := os.ReadFile(log)
	if err != nil {
		return err.Error()
	}
	var lines strings.Builder
	for line := range strings.Lines(string(text)) {
		if !strings.Contains(line, "level=info") && !strings.Contains(line, "level=warning") {
			lines.WriteString(line)
		}
	}
	return lines.String()
}
