package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"

	"lab/final/internal/runtime"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// run makes a container, starts it, and without --detach waits for its end and removes
// it. The command's exit status is ours.
func (a *app) run(args []string) (int, error) {
	var m making
	flags := m.flags("run")
	detach := flags.Bool("detach", false, "do not wait for its end")
	flags.BoolVar(detach, "d", false, "")
	keep := flags.Bool("keep", false, "do not remove it when it has ended")
	if err := arguments(flags, args, 1, 1); err != nil {
		return 0, err
	}
	id := flags.Arg(0)
	request, err := m.request(a, id)
	if err != nil {
		return 0, err
	}
	var signals <-chan os.Signal
	if !*detach {
		// It is listened for them before there is a container, so none is lost.
		signals = listen()
	}
	console, err := terminal(request.Config.Process, *detach, &m.io)
	if err != nil {
		return 0, in("run", err)
	}
	defer console.Close()
	pid, err := a.rt.Create(request, m.io)
	if err != nil {
		return statusOf(err), in("run", err)
	}
	if err := console.Attach(os.Stdin, os.Stdout); err != nil {
		return statusOf(err), errors.Join(in("run", err), a.forget(id))
	}
	warning, err := a.rt.Start(id)
	a.warn(warning)
	if err != nil {
		return statusOf(err), errors.Join(in("run", err), a.forget(id))
	}
	if *detach {
		return 0, nil
	}
	status, err := wait(pid, signals, console)
	if *keep {
		return status, err
	}
	return status, errors.Join(err, a.forget(id))
}

// terminal is who waits for the terminal of a process that is waited for, if it has one
// and no other program does; else there is nobody, which is a console, too.
func terminal(p *specs.Process, detach bool, io *runtime.IO) (*runtime.Console, error) {
	if !p.Terminal || detach || io.ConsoleSocket != "" {
		return nil, nil
	}
	console, err := runtime.NewConsole()
	if err == nil {
		io.Console = console.Socket()
	}
	return console, err
}

// forget removes a container that has ended, or shall.
func (a *app) forget(id string) error {
	warning, err := a.rt.Delete(id, true)
	a.warn(warning)
	return err
}

// statusOf is the exit status for a command that was not executed: 127 where there is
// none, 126 where it may not be, else 125.
func statusOf(err error) int {
	text := err.Error()
	switch {
	case strings.Contains(text, "exec") && (strings.Contains(text, "not found in $PATH") ||
		strings.Contains(text, unix.ENOENT.Error())):
		return 127
	case strings.Contains(text, "exec") && strings.Contains(text, unix.EACCES.Error()):
		return 126
	}
	return 125
}

// listen listens for the signals that are passed on, and for that of a child's end. It
// names them, for each one costs two changes of threads: all of them half a start.
func listen() <-chan os.Signal {
	signals := make(chan os.Signal, 64)
	signal.Notify(signals, unix.SIGCHLD, unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM,
		unix.SIGUSR1, unix.SIGUSR2, unix.SIGALRM, unix.SIGCONT, unix.SIGWINCH)
	return signals
}

// wait waits for the end of the container's init, a child of ours, and passes on
// signals to it meanwhile.
func wait(pid int, signals <-chan os.Signal, console *runtime.Console) (int, error) {
	for {
		var status unix.WaitStatus
		ended, err := unix.Wait4(pid, &status, unix.WNOHANG, nil)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return 0, fmt.Errorf("wait for process %d: %w", pid, err)
		case ended == pid && status.Signaled():
			return 128 + int(status.Signal()), nil
		case ended == pid:
			return status.ExitStatus(), nil
		}
		switch s := <-signals; s {
		case unix.SIGCHLD:
			// A child of ours has changed.
		case unix.SIGWINCH:
			console.Resize(os.Stdin)
		default:
			// It is our child and not reaped, so the number is nobody else's.
			_ = unix.Kill(pid, s.(unix.Signal)) // it may have ended meanwhile
		}
	}
}
