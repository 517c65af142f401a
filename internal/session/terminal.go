//go:build linux

package session

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// Sequences of ECMA-48 and xterm: another screen, on which nothing of the shell's
// is overwritten, and no cursor on it.
const (
	enterScreen = "\x1b[?1049h\x1b[?25l"
	leaveScreen = "\x1b[?25h\x1b[?1049l"
)

// terminal is the keyboard and the screen while a session has them.
type terminal struct {
	in, out *os.File
	full    bool // the other screen is used, not lines appended

	mutex  sync.Mutex
	before *unix.Termios // how it was; nil while it is so
}

// take makes the terminal give single keys without showing them. Ctrl-C, Ctrl-Z
// and the rest go on to be signals, and line ends to be line ends. A second time it
// does so again: a shell may have had the terminal meanwhile.
func (t *terminal) take() error {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	before := t.before
	if before == nil {
		var err error
		if before, err = unix.IoctlGetTermios(int(t.in.Fd()), unix.TCGETS); err != nil {
			return fmt.Errorf("read the terminal's settings: %w", err)
		}
	}
	now := *before
	now.Lflag &^= unix.ICANON | unix.ECHO
	now.Cc[unix.VMIN], now.Cc[unix.VTIME] = 1, 0
	// stty -icanon -echo
	if err := unix.IoctlSetTermios(int(t.in.Fd()), unix.TCSETS, &now); err != nil {
		return fmt.Errorf("set the terminal: %w", err)
	}
	t.before = before
	if !t.full {
		return nil
	}
	_, err := t.out.WriteString(enterScreen)
	return err
}

// giveBack puts the terminal back as it was; a second time does nothing.
func (t *terminal) giveBack() error {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.before == nil {
		return nil
	}
	var err error
	if t.full {
		_, err = t.out.WriteString(leaveScreen)
	}
	// TCSETSF drops what was typed and not read: it was not meant for the shell.
	errSet := unix.IoctlSetTermios(int(t.in.Fd()), unix.TCSETSF, t.before)
	t.before = nil
	return errors.Join(err, errSet)
}
