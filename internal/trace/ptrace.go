//go:build linux

package trace

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// options are set with the seizure: syscall stops are told from SIGTRAPs by bit
// 7, new threads and processes are seized at birth, and when the tracer dies, so
// does every process it traces. PTRACE_O_TRACEEXIT is left out: how a process
// ends is told by wait(2), and a stop less is a stop less.
const options = unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACEFORK |
	unix.PTRACE_O_TRACEVFORK | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEEXEC |
	unix.PTRACE_O_TRACESECCOMP | unix.PTRACE_O_EXITKILL

// syscallStop is the signal of a syscall stop under PTRACE_O_TRACESYSGOOD.
const syscallStop = unix.SIGTRAP | 0x80

// What a syscallInfo is about: linux/ptrace.h.
const (
	atEntry = 1 // PTRACE_SYSCALL_INFO_ENTRY
	atExit  = 2 // PTRACE_SYSCALL_INFO_EXIT
)

// syscallInfo is struct ptrace_syscall_info of linux/ptrace.h. Data is, at an
// entry, the call's number and its six arguments; at an exit the result and, in
// the lowest byte of the second word, whether it is an error.
type syscallInfo struct {
	Op     uint8
	_      [3]uint8
	Arch   uint32 // AUDIT_ARCH_*: a 64-bit kernel runs 32-bit calls, too
	PC, SP uint64
	Data   [8]uint64
}

// request makes one ptrace(2) request that needs no address.
func request(req, tid int, data uintptr) error {
	if _, _, errno := unix.Syscall6(unix.SYS_PTRACE, uintptr(req), uintptr(tid),
		0, data, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

// seize makes a thread a traced one without stopping it.
func seize(tid, options int) error {
	return request(unix.PTRACE_SEIZE, tid, uintptr(options))
}

// toNextStop lets a stopped thread run to its next entry or exit of a call, with
// a signal or 0.
func toNextStop(tid int, signal unix.Signal) error {
	return request(unix.PTRACE_SYSCALL, tid, uintptr(signal))
}

// listen leaves a thread stopped, as SIGSTOP or SIGTSTP wanted it, and yet tells
// when SIGCONT wakes it.
func listen(tid int) error { return request(unix.PTRACE_LISTEN, tid, 0) }

// eventMessage returns the number that comes with an event: a new pid.
func eventMessage(tid int) (int, error) {
	message, err := unix.PtraceGetEventMsg(tid)
	return int(message), err
}

// callInfo tells which call a thread stopped at and on which side of it.
func callInfo(tid int) (syscallInfo, error) {
	var info syscallInfo
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_GET_SYSCALL_INFO, uintptr(tid),
		unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info)), 0, 0)
	if errno != 0 {
		return info, errno
	}
	return info, nil
}

// ErrForbidden means that this machine does not let us trace.
var ErrForbidden = errors.New("may not be traced")

// ErrTracedAlready means that another tracer holds the command.
var ErrTracedAlready = errors.New("is being traced already, by the process that traces us")

// forbidden finds out why a process could not be seized.
func forbidden(pid int, err error) error {
	if !errors.Is(err, unix.EPERM) {
		return fmt.Errorf("seize process %d: %w", pid, err)
	}
	if tracer := statusField(pid, "TracerPid"); tracer != "" && tracer != "0" {
		return fmt.Errorf("seize process %d: it %w (pid %s): %w",
			pid, ErrTracedAlready, tracer, err)
	}
	why := "a seccomp filter or a security module forbids ptrace(2)"
	text, readErr := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope")
	if scope := strings.TrimSpace(string(text)); readErr == nil && scope >= "2" {
		why = "kernel.yama.ptrace_scope is " + scope
	}
	return fmt.Errorf("seize process %d: it %w: %s: %w", pid, ErrForbidden, why, err)
}
