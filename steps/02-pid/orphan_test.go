package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"lab/internal/check/checktest"
	"lab/internal/need"
)

// A child whose parent was killed before it could ask for its own death then
// runs nothing: the pipe that it would tell of its readiness has no reader.
func TestOrphanRunsNothing(t *testing.T) {
	need.Sandbox(t)
	made := filepath.Join(t.TempDir(), "made")
	for _, alive := range []bool{false, true} {
		reader, ready, err := os.Pipe()
		require.NoError(t, err)
		defer reader.Close()
		if !alive {
			require.NoError(t, reader.Close())
		}
		self := checktest.Subject(t, program).Program
		cmd := exec.CommandContext(t.Context(), self)
		cmd.Args = []string{"init", "run", "touch", made}
		cmd.ExtraFiles = []*os.File{ready}
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags: unix.CLONE_NEWUTS | unix.CLONE_NEWPID |
				unix.CLONE_NEWNS,
		}
		out, err := cmd.CombinedOutput()
		require.NoError(t, ready.Close())
		if alive {
			require.NoError(t, err, string(out))
			assert.FileExists(t, made)
			continue
		}
		require.Error(t, err)
		assert.Equal(t, 125, cmd.ProcessState.ExitCode())
		assert.Equal(t, "02-pid: tell the parent: write ready: broken pipe\n",
			string(out))
		assert.NoFileExists(t, made)
	}
}
