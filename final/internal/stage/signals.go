//go:build linux

package stage

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// DefaultSignals gives all signals back what they do to a program that says nothing. It
// is for right before an execve(2): that resets what is caught, but what our caller had
// ignored stays so where Go catches nothing (SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT, and
// SIGHUP and SIGINT if they were ignored). What was held back is let through.
func DefaultSignals() {
	const signals, setSize = 64, 8
	var action struct { // struct sigaction of the kernel, all zero: SIG_DFL
		handler, flags, restorer uintptr
		mask                     uint64
	}
	for s := uintptr(1); s <= signals; s++ {
		// Of SIGKILL and SIGSTOP nothing can be set, and need not.
		syscall.RawSyscall6(unix.SYS_RT_SIGACTION, s, uintptr(unsafe.Pointer(&action)), 0,
			setSize, 0, 0)
	}
	var none unix.Sigset_t
	_ = unix.PthreadSigmask(unix.SIG_SETMASK, &none, nil) // it knows no error with these values
}
