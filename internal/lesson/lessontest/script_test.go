//go:build linux

package lessontest

import (
	"errors"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lab/internal/lesson"
)

// A job in the background is waited for, however long it needs, and no longer: the
// pause of the lesson is left out.
func TestJobIsWaitedFor(t *testing.T) {
	b := lesson.Block{Commands: []lesson.Command{
		{Text: "sh -c 'read line </dev/null; while ! [ -e go ]; do :; done; exec sleep 1000' &"},
		{Text: "sleep 999; tr '\\0' ' ' </proc/$!/cmdline; (exit 3)"},
		{Text: "echo $?"},
	}}
	text := script(b, "-mark-")
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "(sleep 0.3; touch go) & "+text)
	cmd.Dir = t.TempDir()
	cmd.Env = append(cmd.Environ(), "TMPDIR="+cmd.Dir)
	out, err := cmd.Output()
	var killed *exec.ExitError // at the end the jobs are
	require.True(t, err == nil || errors.As(err, &killed), "%v", err)
	assert.Equal(t, "-mark-0\nsleep 1000 -mark-3\n3\n-mark-0\n", string(out))
}

// A job that has something to wait for itself gets its pause.
func TestPauseStays(t *testing.T) {
	b := lesson.Block{Commands: []lesson.Command{
		{Text: "sh -c '(sleep 0.1 &); exec sleep 3' &"}, {Text: "sleep 1; ps"},
	}}
	assert.Contains(t, script(b, "-mark-"), "\nsleep 1; ps\n")
}
