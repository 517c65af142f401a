//go:build linux

package instruments

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lab/internal/program"
	"lab/internal/sandbox"
)

// TestMain runs the tests in a throw-away host.
func TestMain(m *testing.M) { os.Exit(sandbox.Run(m)) }

// binary returns the program lab.
func binary(t *testing.T) string {
	t.Helper()
	path, err := program.Path(t.Context(), "lab")
	require.NoError(t, err)
	return path
}

// lab runs it and returns what it printed on both streams and its exit status.
func lab(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary(t), args...)
	var out, errOut strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errOut
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	_ = cmd.Run() // the status tells
	return out.String(), errOut.String(), cmd.ProcessState.ExitCode()
}

// readUntil reads until a text has come.
func readUntil(t *testing.T, from interface{ Read([]byte) (int, error) }, want string) string {
	t.Helper()
	var text strings.Builder
	piece := make([]byte, 4096)
	for !strings.Contains(text.String(), want) {
		n, err := from.Read(piece)
		text.Write(piece[:n])
		require.NoError(t, err, text.String())
	}
	return text.String()
}
