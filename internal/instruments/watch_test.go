//go:build linux

package instruments

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/creack/pty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"lab/internal/need"
)

// What changes while --watch looks on is marked, and Ctrl-C is its way to end.
func TestWatch(t *testing.T) {
	need.Sandbox(t)
	need.UserNS(t)
	changing := exec.CommandContext(t.Context(), "sh", "-c", "read go; exec unshare -Ur sleep 1000")
	start, err := changing.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, changing.Start())

	cmd := exec.CommandContext(t.Context(), binary(t),
		"ns", "--watch", "--every", "50ms", pidOf(changing))
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "TERM=xterm", "LANG=C.UTF-8", "NO_COLOR=")
	terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 80})
	require.NoError(t, err)
	defer terminal.Close()
	text := readUntil(t, terminal, "Ctrl-C ends")
	assert.Regexp(t, `(?m)^  user +\d+ +\d+ +same `, text)
	_, err = fmt.Fprintln(start, "go")
	require.NoError(t, err)
	text = readUntil(t, terminal, "~ user")
	assert.Contains(t, text, "\x1b[H", "in the same place")
	readUntil(t, terminal, "\x1b[32mown") // in colour

	require.NoError(t, cmd.Process.Signal(unix.SIGINT))
	require.NoError(t, cmd.Wait())
}

// When the process ends, so does the watch, with a word about it.
func TestWatchEnds(t *testing.T) {
	watched := exec.CommandContext(t.Context(), "sleep", "1000")
	require.NoError(t, watched.Start())
	cmd := exec.CommandContext(t.Context(), binary(t),
		"inspect", "--watch", "--every", "50ms", pidOf(watched))
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = cmd.Stdout
	require.NoError(t, cmd.Start())
	readUntil(t, stdout, "shared with you")
	require.NoError(t, watched.Process.Kill())
	_ = watched.Wait() // the signal is its status
	text := readUntil(t, stdout, "hint: ")
	assert.Regexp(t, `lab: inspect \d+: no such process\n`, text)
	_ = cmd.Wait() // looked at below
	assert.Equal(t, 1, cmd.ProcessState.ExitCode())
}
