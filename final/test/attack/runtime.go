//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// others calls do for each process but this one, until it reports success.
func others(do func(pid int) bool) error {
	for {
		entries, err := os.ReadDir("/proc")
		if err != nil {
			return err
		}
		for _, e := range entries {
			pid, err := strconv.Atoi(e.Name())
			if err == nil && pid != os.Getpid() && do(pid) {
				return nil
			}
		}
	}
}

// exe looks for a process that executes another file than this one, which is the
// runtime on its way in; opens that file, and as soon as nobody executes it any longer
// opens it for writing and writes.
func exe() error {
	var own unix.Stat_t
	if err := unix.Stat("/proc/self/exe", &own); err != nil {
		return err
	}
	tell("watch", nil)
	return others(func(pid int) bool {
		fd, err := unix.Open(fmt.Sprintf("/proc/%d/exe", pid), unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			return false // it has ended
		}
		defer func() { _ = unix.Close(fd) }() // it was not written to
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil || st.Ino == own.Ino && st.Dev == own.Dev {
			return false
		}
		tell("found", nil)
		name := fmt.Sprintf("/proc/self/fd/%d", fd)
		for {
			err = write(name, "attacked")
			if !errors.Is(err, unix.ETXTBSY) {
				break
			}
		}
		tell("overwrite", err)
		return true
	})
}

// trace tries to take hold of each process that is the runtime still, by its name.
func trace() error {
	runtime.LockOSThread() // the tracer is a thread
	tell("watch", nil)
	refused := false
	return others(func(pid int) bool {
		if !isRuntime(pid) {
			return false
		}
		err := unix.PtraceAttach(pid)
		if err != nil {
			if !refused && !errors.Is(err, unix.ESRCH) && isRuntime(pid) {
				tell("attach", err)
				refused = true
			}
			return false
		}
		var status unix.WaitStatus
		_, err = unix.Wait4(pid, &status, unix.WALL, nil)
		held := err == nil && status.Stopped() && isRuntime(pid)
		// It may have ended; if it is the command by now, it shall go on.
		_ = unix.PtraceDetach(pid)
		_ = unix.Kill(pid, unix.SIGCONT)
		if held {
			tell("attach", nil)
		}
		return held
	})
}

// isRuntime reports whether a process is minirun, and not yet its command.
func isRuntime(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return err == nil && strings.HasPrefix(string(text), "minirun\x00init\x00")
}

// naive is how a runtime enters a container that has not thought of attacks: it joins
// the namespaces and executes the command from there, being its own file meanwhile.
func naive(args []string) error {
	if len(args) < 2 {
		return errors.New("naive: PID COMMAND…")
	}
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return err
	}
	var joined []int
	for _, kind := range []string{"pid", "mnt"} {
		fd, err := unix.Open("/proc/"+args[0]+"/ns/"+kind, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		joined = append(joined, fd)
	}
	for _, fd := range joined {
		if err := unix.Setns(fd, 0); err != nil {
			return err
		}
	}
	pid, err := syscall.ForkExec(args[1], args[1:], &syscall.ProcAttr{
		Files: []uintptr{0, 1, 2}, Env: os.Environ(),
	})
	if err != nil {
		return err
	}
	_, err = unix.Wait4(pid, nil, 0, nil)
	return err
}

// deaf executes a command with all signals ignored and blocked, and a soft limit of
// open files and a slack of timers that nobody else has.
func deaf(command []string) error {
	if len(command) == 0 {
		return errors.New("deaf: COMMAND…")
	}
	runtime.LockOSThread()
	limit := syscall.Rlimit{}
	if err := syscall.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	limit.Cur = 777
	if err := syscall.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 77777, 0, 0, 0); err != nil {
		return err
	}
	signal.Ignore()
	var all unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^uint64(0)
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &all, nil); err != nil {
		return err
	}
	return syscall.Exec(command[0], command, os.Environ())
}
