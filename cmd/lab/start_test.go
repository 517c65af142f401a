//go:build linux

package main

import (
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/creack/pty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lab/internal/need"
)

// ordered makes a command of the toolkit in a home of its own, in which the
// workspace is, too.
func ordered(t *testing.T, home string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(programs(t), "lab"), args...)
	cmd.Dir = home
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + home, "TERM=dumb"}
	return cmd
}

// What root starts for somebody under sudo(8) is theirs, down to the libraries.
func TestStartUnderSudo(t *testing.T) {
	need.RealRoot(t)
	const uid = 54321
	home := account(t)
	for _, args := range [][]string{{"start", "01"}, {"reset", "01", "--yes"}} {
		cmd := ordered(t, home, args...)
		cmd.Env = append(cmd.Env, "HOME=/root", "SUDO_UID=54321", "SUDO_GID=54321",
			"SUDO_USER=labsudo")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
	}
	files := 0
	dir := filepath.Join(home, "workspace")
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Lstat(path)
		if err == nil {
			assert.EqualValues(t, uid, info.Sys().(*syscall.Stat_t).Uid, "owner of %s", path)
		}
		files++
		return err
	})
	require.NoError(t, err)
	assert.Greater(t, files, 100)
	assert.FileExists(t, filepath.Join(dir, ".backup", "01-uts-1", "init.go"))
}

// Where the learner may write nothing, one line says so and how it goes on.
func TestStartInADirectoryOfRoots(t *testing.T) {
	need.RealRoot(t)
	const uid = 54321
	home := account(t)
	require.NoError(t, os.Chown(home, 0, 0))
	cmd := ordered(t, home, "start", "01")
	cmd.Path = filepath.Join(lend(t, programs(t)), "lab")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	out, err := cmd.CombinedOutput()
	require.Error(t, err)
	assert.Equal(t, "lab: start 01-uts: mkdir "+home+"/workspace: permission denied\n"+
		"hint: lab start 01 --workspace DIR, with a directory of yours\n", string(out))
}

// At a terminal a person is asked; nothing but yes is one.
func TestResetAsks(t *testing.T) {
	tests := []struct {
		name, answer string
		status       int
	}{
		{"yes", "y\n", 0},
		{"no", "n\n", 1},
		{"Enter", "\n", 1},
		{"the end of input", "\x04", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			home := t.TempDir()
			require.NoError(t, ordered(t, home, "start", "01").Run())
			cmd := ordered(t, home, "reset", "01")
			terminal, err := pty.Start(cmd)
			require.NoError(t, err)
			defer terminal.Close()
			_, err = terminal.WriteString(tt.answer)
			require.NoError(t, err)
			screen, _ := io.ReadAll(terminal) // EIO, when lab has ended
			_ = cmd.Wait()                    // the status tells
			assert.Equal(t, tt.status, cmd.ProcessState.ExitCode(), string(screen))
			assert.Contains(t, string(screen),
				"reset 01-uts puts your program away. Begin anew? [y/N]")
			_, err = os.Stat(filepath.Join(home, "workspace", ".backup"))
			assert.Equal(t, tt.status == 0, err == nil)
		})
	}
}
