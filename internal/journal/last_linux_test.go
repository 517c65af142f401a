package journal

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lab/internal/need"
)

// A container is made when its first process runs the command or has become it;
// until then `last` has something to wait for.
func TestContainerIsMade(t *testing.T) {
	need.Sandbox(t)
	step := waiting(t, RoleStep, "sh", "-c", "read x")
	same := waiting(t, RoleContainer, "sh", "-c", "read x") // nothing was executed yet
	other := waiting(t, RoleContainer, "cat")
	parent := waiting(t, RoleContainer, "sh", "-c", "cat; :")
	require.Eventually(t, func() bool {
		path := fmt.Sprintf("/proc/%d/task/%d/children", parent.PID, parent.PID)
		children, err := os.ReadFile(path)
		return err == nil && len(children) > 0
	}, 2*time.Minute, time.Millisecond)
	lab, err := thisProcess(RoleLab, os.Getpid())
	require.NoError(t, err)
	gone := Process{Role: RoleStep, PID: step.PID, Start: step.Start + "0"}
	ended := Process{Role: RoleContainer, PID: same.PID, Start: same.Start + "0"}
	tests := []struct {
		name      string
		step      string
		processes []Process
		pid       int
		made      bool
	}{
		{"the step is not started", "03-mount", []Process{lab}, 0, false},
		{"no step will be", "", []Process{lab}, 0, true},
		{"lab was killed before", "03-mount", nil, 0, true},
		{"the step runs", "03-mount", []Process{lab, step}, 0, false},
		{"the step has ended", "03-mount", []Process{lab, gone}, 0, true},
		{"its child is the same program", "03-mount", []Process{lab, step, same}, same.PID, false},
		{"its child is the command", "03-mount", []Process{lab, step, other}, other.PID, true},
		{"its child has a child", "03-mount", []Process{lab, step, parent}, parent.PID, true},
		{"its child has ended", "03-mount", []Process{lab, step, ended}, 0, true},
		{"a scene of the tour", "03-mount", []Process{lab, same}, same.PID, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pid, made := (&Run{Step: tt.step, Processes: tt.processes}).container()
			assert.Equal(t, tt.pid, pid)
			assert.Equal(t, tt.made, made)
		})
	}
}

// waiting starts a program that reads its input until the test ends.
func waiting(t *testing.T, role string, command ...string) Process {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		require.NoError(t, stdin.Close())
		_ = cmd.Wait() // read finds an end, which is its failure
	})
	p, err := thisProcess(role, cmd.Process.Pid)
	require.NoError(t, err)
	return p
}
