package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"

	"lab/final/internal/runtime"

	"golang.org/x/sys/unix"
)

// ear hears the signals that are passed on to a command.
type ear struct {
	signals chan os.Signal
	all     chan struct{} // closed when it hears all of them
}

// listen listens for those that would end us in the middle of a container's making. It
// names the signals, for each one costs two changes of threads, and begins with the others
// beside us: all of them take as long as a tenth of a start.
func listen() *ear {
	e := &ear{make(chan os.Signal, 64), make(chan struct{})}
	signal.Notify(e.signals, unix.SIGHUP, unix.SIGINT, unix.SIGTERM)
	go func() {
		signal.Notify(e.signals, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2, unix.SIGALRM,
			unix.SIGCONT, unix.SIGWINCH)
		close(e.all)
	}()
	return e
}

// ready waits until no signal is lost any longer: before a command runs.
func (e *ear) ready() {
	if e != nil {
		<-e.all
	}
}

// wait waits for the end of a command, a child of ours, and passes on signals to it
// meanwhile.
func (e *ear) wait(pid int, console *runtime.Console) (int, error) {
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return 0, fmt.Errorf("pidfd_open %d: %w", pid, err)
	}
	go e.passOn(pidfd, console)
	for {
		var status unix.WaitStatus
		switch _, err := unix.Wait4(pid, &status, 0, nil); {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return 0, fmt.Errorf("wait for process %d: %w", pid, err)
		case status.Signaled():
			return 128 + int(status.Signal()), nil
		}
		return status.ExitStatus(), nil
	}
}

// passOn passes signals on, as long as this process lives. The open process is no other
// one, even when it was waited for.
func (e *ear) passOn(pidfd int, console *runtime.Console) {
	for s := range e.signals {
		if s == unix.SIGWINCH {
			console.Resize(os.Stdin)
			continue
		}
		_ = unix.PidfdSendSignal(pidfd, s.(unix.Signal), nil, 0) // it may have ended
	}
}
