//go:build linux

package trace

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// forbiddenCall makes the test binary a program that forbids itself ptrace(2) and
// then becomes another program.
const forbiddenCall = "LAB_TRACE_FORBIDDEN"

// forbid becomes the command in the arguments, to which ptrace(2) is EPERM as in
// a container of an engine whose profile has no ptrace.
func forbid() {
	runtime.LockOSThread()
	refuse := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: dataNumber},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_PTRACE, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	filter := unix.SockFprog{Len: uint16(len(refuse)), Filter: &refuse[0]}
	err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	if err == nil {
		_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0,
			uintptr(unsafe.Pointer(&filter)))
		err = errno
		if errno == 0 {
			err = syscall.Exec(os.Args[1], os.Args[1:], os.Environ())
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// Where ptrace(2) is forbidden that is said in one line, with what may help, and
// nothing is left behind.
func TestForbidden(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self, labPath(t), "trace", "--", "true")
	cmd.Env = append(os.Environ(), forbiddenCall+"=ptrace")
	out, err := cmd.CombinedOutput()
	require.Error(t, err)
	assert.Equal(t, 1, cmd.ProcessState.ExitCode())
	assert.Regexp(t, `^lab: trace true: seize process \d+: it may not be traced: a seccomp `+
		`filter or a security module forbids ptrace\(2\): operation not permitted\n`+
		`hint: .*SYS_PTRACE\n$`, string(out))
}
