package runtime

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// listen opens the socket by which `start` finds init.
func listen(dir string) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	err = byShortName(dir, func(dir string) error {
		return unix.Bind(fd, &unix.SockaddrUnix{Name: dir + "/start"})
	})
	if err == nil {
		err = unix.Listen(fd, 1)
	}
	if err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), "start"), nil
}

// dial connects to a socket.
func dial(path string) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	err = byShortName(filepath.Dir(path), func(dir string) error {
		return unix.Connect(fd, &unix.SockaddrUnix{Name: dir + "/" + filepath.Base(path)})
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("connect to %s: %w", path, err), unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), path), nil
}

// byShortName gives a directory a name that fits into the 108 bytes that a socket's
// address has.
func byShortName(dir string, do func(dir string) error) error {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }() // it was not written to
	return do(fmt.Sprintf("/proc/self/fd/%d", fd))
}

// dialConsole connects to who waits for the terminal.
func (l *launch) dialConsole() (*os.File, error) {
	switch {
	case l.io.Console != nil:
		return l.io.Console, nil
	case l.io.ConsoleSocket != "":
		return dial(l.io.ConsoleSocket)
	}
	return nil, errors.New("the configuration asks for a terminal: name a --console-socket")
}
