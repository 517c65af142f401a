//go:build linux

// Package pid1 is the first process of a container that asked for one, with --init. The
// kernel treats the first process of a pid namespace apart, and few programs are made for
// that: orphans become its children and stay zombies until it reaps them, and a signal for
// which it has no handler does nothing. So it
//
//   - starts the command as its only child;
//   - passes on to it every signal that it is sent itself;
//   - reaps whoever has ended;
//   - ends with the status of the command when that has ended.
//
// See pid_namespaces(7).
package pid1

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// Name is what the program is called by when it is to be one.
const Name = "mini-init"

// Exit statuses of a command that was not executed.
const (
	notExecutable = 126
	notFound      = 127
)

// Run starts a command, stays until it has ended, and returns its exit status: 128+n if
// signal n has ended it.
func Run(command []string) int {
	// It has next to nothing to do, and is counted among the container's tasks.
	runtime.GOMAXPROCS(1)
	// Where others have the first process's place, orphans come to us all the same.
	_ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
	signals := make(chan os.Signal, 128)
	signal.Notify(signals)
	process, err := start(command)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", Name, err)
		return statusOf(err)
	}
	debug.FreeOSMemory()
	for received := range signals {
		switch received {
		case unix.SIGCHLD:
			if status, ended := reap(process.Pid); ended {
				return status
			}
		case unix.SIGURG, unix.SIGTTIN, unix.SIGTTOU, unix.SIGPIPE:
			// The first is Go's own; the others are about our writing, not the command's.
		default:
			_ = process.Signal(received) // by its pidfd; it may have ended already
		}
	}
	return 0
}

// start starts the command, in a process group of its own: what is typed at a terminal
// goes to the group that is in its foreground.
func start(command []string) (*os.Process, error) {
	if len(command) == 0 {
		return nil, errors.New("there is no command to start")
	}
	path, err := exec.LookPath(command[0])
	if err != nil {
		return nil, err
	}
	attr := &syscall.SysProcAttr{Setpgid: true}
	if term.IsTerminal(0) {
		attr.Foreground, attr.Ctty = true, 0
	}
	return os.StartProcess(path, command, &os.ProcAttr{
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}, Sys: attr,
	})
}

// statusOf is the exit status that belongs to a command that was not executed.
func statusOf(err error) int {
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return notFound
	}
	return notExecutable
}

// reap reaps all who have ended, and tells the status of the command if it is among them.
func reap(command int) (status int, ended bool) {
	for {
		var w unix.WaitStatus
		pid, err := unix.Wait4(-1, &w, unix.WNOHANG, nil)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil || pid == 0:
			return status, ended
		case pid == command && w.Signaled():
			status, ended = 128+int(w.Signal()), true
		case pid == command && w.Exited():
			status, ended = w.ExitStatus(), true
		}
	}
}
