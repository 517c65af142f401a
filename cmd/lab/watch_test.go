//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lab/internal/check"
	"lab/internal/need"
	"lab/internal/program"
	"lab/steps"
)

// learner returns how the toolkit is called by somebody with an empty home and the
// Go toolchain.
func learner(t *testing.T, home string) func(args ...string) *exec.Cmd {
	t.Helper()
	goTool := need.Go(t)
	cache, err := exec.CommandContext(t.Context(), goTool, "env", "GOCACHE").Output()
	require.NoError(t, err)
	path, err := program.Path(t.Context(), "lab")
	require.NoError(t, err)
	temporary := t.TempDir() // a check that fails leaves its files in it
	require.NoError(t, os.Chmod(filepath.Dir(temporary), 0o755))
	return func(args ...string) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), path, args...)
		cmd.Dir = home
		cmd.Env = []string{
			"PATH=" + filepath.Dir(goTool) + ":/usr/bin:/bin", "HOME=" + home, "TERM=xterm",
			"GOCACHE=" + strings.TrimSpace(string(cache)), "NO_COLOR=1", "LC_ALL=C",
			"TMPDIR=" + temporary,
		}
		return cmd
	}
}

// The loop as a learner has it: a skeleton that fails, a hint to that, a save that
// mends it, and the next step.
func TestWatch(t *testing.T) {
	need.Sandbox(t)
	home := t.TempDir()
	lab := learner(t, home)
	out, err := lab("start", "00").CombinedOutput()
	require.NoError(t, err, string(out))

	watch := lab("watch")
	terminal, err := pty.StartWithSize(watch, &pty.Winsize{Rows: 60, Cols: 100})
	require.NoError(t, err)
	defer terminal.Close()
	deadline := time.AfterFunc(5*time.Minute, func() { _ = watch.Process.Kill() })
	defer deadline.Stop()
	press := func(key string) {
		_, err := terminal.WriteString(key)
		require.NoError(t, err)
	}

	first := readUntil(t, terminal, "FAIL  0 passed, 3 failed")
	assert.Contains(t, first, "is not written yet")
	assert.Contains(t, first, "a save in workspace/00-exec starts a check")
	press("h")
	hint := readUntil(t, terminal, "Next: lab hint 00")
	assert.Contains(t, hint, "the skeleton speaking")
	press("x")

	for _, name := range []string{"main.go", "signals.go"} {
		text, err := steps.Files.ReadFile("00-exec/" + name)
		require.NoError(t, err)
		file := filepath.Join(home, "workspace", "00-exec", name)
		require.NoError(t, os.WriteFile(file, text, 0o644))
	}
	checks := len(check.Of("00-exec"))
	readUntil(t, terminal, fmt.Sprintf("PASS  all of it: %d passed, 0 skipped", checks))
	press("n")
	readUntil(t, terminal, "was cloned without CLONE_NEWUTS")
	press("q")
	require.NoError(t, watch.Wait())
	assert.FileExists(t, filepath.Join(home, "workspace", "01-uts", "START.md"))
}
