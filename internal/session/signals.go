//go:build linux

package session

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// signal answers a signal; those that end a program end this one.
func (s *session) signal(got unix.Signal, more <-chan os.Signal) error {
	switch got {
	case unix.SIGWINCH:
		return nil
	case unix.SIGTSTP:
		return s.suspend(more)
	case unix.SIGCONT:
		// Somebody else may have stopped us, and used the terminal meanwhile.
		return s.resume()
	default:
		return Interrupted{got}
	}
}

// suspend is Ctrl-Z: the shell gets the terminal as it was until this process is
// continued.
func (s *session) suspend(signals <-chan os.Signal) error {
	if err := s.terminal.giveBack(); err != nil {
		return err
	}
	// The pid is our own. The call may return before all threads have stopped, so
	// what continues us is waited for.
	if err := unix.Kill(os.Getpid(), unix.SIGSTOP); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	for got := range signals {
		switch got {
		case unix.SIGCONT:
			return s.resume()
		case unix.SIGWINCH, unix.SIGTSTP:
		default:
			return Interrupted{got.(unix.Signal)}
		}
	}
	return nil
}

// resume takes the terminal again.
func (s *session) resume() error {
	if !s.typed {
		return nil
	}
	return s.terminal.take()
}
