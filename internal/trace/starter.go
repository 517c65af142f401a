//go:build linux

package trace

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// starterName is argv[0] of the copy of this program that becomes the command.
const starterName = "lab-trace-starter"

// The ways to trace: the starter installs the sieve, or every call is a stop.
const (
	withSieve    = "sieve"
	withoutSieve = "stops"
)

// IsStarter reports whether this process is to be the command that is traced.
// The program's main asks before anything else.
func IsStarter(argv []string) bool { return len(argv) >= 4 && argv[0] == starterName }

// Become stops until it is seized and then becomes the command: argv holds the
// starter's name, the way to trace, the command's path and the command's own argv. It returns
// only if that is impossible; the tracer has seen the reason by then.
func Become(argv []string) error {
	// Only the first thread is seized. The runtime could have moved this
	// goroutine to another one, which then is the first after one more execve.
	runtime.LockOSThread()
	if unix.Gettid() != os.Getpid() {
		return syscall.Exec("/proc/self/exe", argv, os.Environ())
	}

	// The tracer waits for this stop, seizes, and sends SIGCONT.
	if err := unix.Kill(os.Getpid(), unix.SIGSTOP); err != nil {
		return fmt.Errorf("stop: %w", err)
	}

	// A tracer that dies from now on takes this process with it by itself
	// (PTRACE_O_EXITKILL), and the command must not inherit what we asked for.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("clear the parent's death signal: %w", err)
	}
	if argv[1] == withSieve {
		// Without it every call is a stop, which is only slower.
		_ = installSieve()
	}
	// syscall.Exec, unlike unix.Exec, gives the soft limit of open files back that
	// the Go runtime has raised for itself.
	return syscall.Exec(argv[2], argv[3:], os.Environ())
}

// start starts the command as a stopped and seized process and returns its pid.
// It must be called on the thread that makes all later requests.
func start(way, path string, argv []string) (int, error) {
	process, err := os.StartProcess("/proc/self/exe",
		append([]string{starterName, way, path}, argv...),
		&os.ProcAttr{
			Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
			Sys:   &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL},
		})
	if err != nil {
		return 0, fmt.Errorf("start the process that becomes %s: %w", argv[0], err)
	}
	pid := process.Pid
	defer func() { _ = process.Release() }() // it is waited for by its pid

	if err := awaitStop(pid); err != nil {
		return 0, err
	}
	if err := seize(pid, options); err != nil {
		err = forbidden(pid, err)
		// It is our own child and not reaped, so the pid is nobody else's.
		return 0, errors.Join(err, unix.Kill(pid, unix.SIGKILL), reap(pid))
	}
	return pid, nil
}

// awaitStop waits until the starter has stopped itself.
func awaitStop(pid int) error {
	status, err := wait(pid, unix.WUNTRACED)
	if err != nil {
		return err
	}
	if !status.Stopped() {
		return fmt.Errorf("start the process to trace: it ended with %s", ending(status))
	}
	return nil
}

// reap waits for the end of a killed child.
func reap(pid int) error {
	for {
		status, err := wait(pid, 0)
		if err != nil || status.Exited() || status.Signaled() {
			return err
		}
	}
}

// wait waits for a change of one child.
func wait(pid, flags int) (unix.WaitStatus, error) {
	var status unix.WaitStatus
	for {
		_, err := unix.Wait4(pid, &status, flags|unix.WALL, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return status, fmt.Errorf("wait for process %d: %w", pid, err)
		}
		return status, nil
	}
}
