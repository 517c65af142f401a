//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"lab/internal/journal"
	"lab/internal/need"
)

// Whenever lab is interrupted, the temporary root goes and the journal is
// empty, also before there is a program to pass the signal on to.
func TestRunInterrupted(t *testing.T) {
	need.Sandbox(t)
	before, err := journal.Take()
	require.NoError(t, err)
	bin := programs(t)
	for i := range 20 {
		state, temporary := t.TempDir(), t.TempDir()
		sig := []unix.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP}[i%3]
		self := filepath.Join(bin, "lab")
		cmd := exec.CommandContext(t.Context(), self, "run", "04", "sleep", "100")
		cmd.Env = append(os.Environ(),
			"LAB_BIN="+bin, "XDG_STATE_HOME="+state, "TMPDIR="+temporary)
		var out strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &out
		require.NoError(t, cmd.Start())
		time.Sleep(time.Duration(i) * 3 * time.Millisecond) // the moment is what is tried out
		require.NoError(t, cmd.Process.Signal(sig))
		require.Error(t, cmd.Wait(), "after %d ms", i*3)
		// The status of a signal, or the signal itself before lab listens.
		assert.Contains(t, []int{128 + int(sig), -1}, cmd.ProcessState.ExitCode(), out.String())
		left, err := filepath.Glob(filepath.Join(temporary, "*"))
		require.NoError(t, err)
		assert.Empty(t, left, "after %d ms", i*3)
		left, err = filepath.Glob(filepath.Join(state, "lab", "journal", "*"))
		require.NoError(t, err)
		assert.Empty(t, left, "after %d ms", i*3)
	}
	assert.Empty(t, journal.Settle(t.Context(), before))
}

// Under sudo(8) the journal is in the home of the one who called, and theirs.
func TestJournalUnderSudo(t *testing.T) {
	need.RealRoot(t)
	need.Sandbox(t)
	const uid = 54321
	home := account(t)
	bin := programs(t)
	environment := []string{
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "SUDO_UID=54321", "SUDO_GID=54321",
		"LAB_BIN=" + bin, "XDG_STATE_HOME=/nonexistent", "TMPDIR=" + t.TempDir(),
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "lab"), "run", "03", "sleep", "100")
	cmd.Env = environment
	require.NoError(t, cmd.Start())
	var files []string
	require.Eventually(t, func() bool {
		files, _ = filepath.Glob(filepath.Join(home, ".local", "state", "lab", "journal", "*.json"))
		return len(files) == 1
	}, 2*time.Minute, time.Millisecond)
	for _, path := range []string{files[0], filepath.Dir(files[0])} {
		info, err := os.Stat(path)
		require.NoError(t, err)
		assert.EqualValues(t, uid, info.Sys().(*syscall.Stat_t).Uid, path)
	}
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	clean := exec.CommandContext(t.Context(), filepath.Join(bin, "lab"), "clean")
	clean.Env = environment
	out, err := clean.CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Contains(t, string(out), "`lab run 03 -- sleep 100` of ")
	assert.Contains(t, string(out), "The host is as it was before `lab run 03")
	assert.NoFileExists(t, files[0])
}

// A tour's container is the newest one while it is held.
func TestLastOfTour(t *testing.T) {
	need.Sandbox(t)
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	self := filepath.Join(programs(t), "lab")
	cmd := exec.CommandContext(t.Context(), self, "tour", "--hold", "03")
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	text := readUntil(t, stdout, "Enter ends it.")
	pid, err := journal.Last()
	require.NoError(t, err)
	assert.Contains(t, text, fmt.Sprintf("The container's process is %d ", pid))
	require.NoError(t, stdin.Close())
	readUntil(t, stdout, "compared")
	require.NoError(t, cmd.Wait())
	_, err = journal.Last()
	require.ErrorIs(t, err, journal.ErrNone)
}

// ownTemporary gives a test a directory of its own for temporary files, so that nothing
// of another check is in the way or taken away. A container's root can go through it.
func ownTemporary(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755)) //nolint:gosec // to go through
	t.Setenv("TMPDIR", dir)
	return dir
}

// What a check leaves, killed or failed, stands in the journal, and clean removes it.
// A check that goes on keeps what it has.
func TestCheckIsCleaned(t *testing.T) {
	need.Sandbox(t)
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	temporary := ownTemporary(t)
	left := func() []string {
		found, err := filepath.Glob(filepath.Join(temporary, "lab-check-*"))
		require.NoError(t, err)
		return found
	}
	bin := programs(t)
	self, wrong := filepath.Join(bin, "lab"), filepath.Join(bin, "02-pid")

	_, _, status := lab(t, "check", "03", "--program", wrong)
	require.Equal(t, 1, status)
	require.Len(t, left(), 1)
	text, _, status := lab(t, "clean")
	assert.Equal(t, 0, status)
	assert.Regexp(t, `^  removed +directory\s+\S+/lab-check-\d+\n$`, text)
	assert.Empty(t, left())

	cmd := exec.CommandContext(t.Context(), self, "check", "04",
		"--program", filepath.Join(bin, "04-net"))
	require.NoError(t, cmd.Start())
	require.Eventually(t, func() bool { return len(left()) == 1 }, 2*time.Minute, time.Millisecond)
	text, _, _ = lab(t, "clean")
	assert.Contains(t, text, "`lab check 04` of ")
	assert.Contains(t, text, "goes on; nothing of it is touched")
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait() // the signal is its status
	text, _, status = lab(t, "clean")
	assert.Equal(t, 0, status, text)
	assert.Contains(t, text, "was killed before it could undo")
	assert.Empty(t, left())
	text, _, _ = lab(t, "clean")
	assert.Equal(t, "There is nothing to undo.\n", text)
}

// While a check runs its newest container is the last one.
func TestLastOfCheck(t *testing.T) {
	need.Sandbox(t)
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	ownTemporary(t)
	bin := programs(t)
	seen := 0
	for began := time.Now(); seen == 0 && time.Since(began) < time.Minute; {
		cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "lab"), "check", "02",
			"--program", filepath.Join(bin, "02-pid"))
		ended := make(chan error)
		require.NoError(t, cmd.Start())
		go func() { ended <- cmd.Wait() }()
		for running := true; running; {
			if pid, err := journal.Last(); err == nil {
				seen = pid
			}
			select {
			case err := <-ended:
				require.NoError(t, err)
				running = false
			case <-time.After(time.Millisecond):
			}
		}
	}
	assert.NotZero(t, seen)
}
