package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// supervise is the life of PID 1: start the command, pass signals on to it,
// reap whatever ends. It runs in the container. When it returns this program
// ends, and with its PID 1 gone the kernel kills the rest of the namespace.
func supervise(c *container) (int, error) {
	// Refused if the parent is dead: then nothing may run. A parent that dies
	// from here on takes this process along (Pdeathsig).
	ready := os.NewFile(3, "ready")
	_, err := ready.WriteString("ready")
	if err := errors.Join(err, ready.Close()); err != nil {
		return 0, fmt.Errorf("tell the parent: %w", err)
	}
	command, err := spawn(c.Command)
	if err != nil {
		return 0, err
	}
	// A signal without a handler does nothing to PID 1, not even SIGTERM:
	// forwarding is the only way in which the command hears of it.
	go forward(c.signals, command)
	return reap(command.Pid)
}

// forwardWhenReady passes signals on to the container, from the host. What is
// sent to PID 1 before it listens is lost, so they wait until then.
func forwardWhenReady(c *container) {
	_, _ = io.Copy(io.Discard, c.ready) // ends as well when the child does
	forward(c.signals, c.child)
}

// spawn starts the command as a child of PID 1, in the container.
func spawn(command []string) (*os.Process, error) {
	path, err := exec.LookPath(command[0])
	if err != nil {
		return nil, err
	}
	p, err := os.StartProcess(path, command, &os.ProcAttr{
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
	})
	if err != nil {
		return nil, &exec.Error{Name: path, Err: cause(err)}
	}
	return p, nil
}

// reap waits for every child until the one with this pid has ended, in the
// container. Orphans become children of PID 1; one that ended and was not
// waited for would stay a zombie.
func reap(pid int) (int, error) {
	for {
		var status syscall.WaitStatus
		ended, err := syscall.Wait4(-1, &status, 0, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("wait4: %w", err)
		}
		if ended == pid {
			return exitStatus(status), nil
		}
	}
}
