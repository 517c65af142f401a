//go:build linux

package seccomp

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Dial connects to the process that answers for calls, at linux.seccomp.listenerPath.
// The path is one of the host: whoever is in the container's root already needs a
// connection made before.
func Dial(path string) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socket for the seccomp listener: %w", err)
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		return nil, errors.Join(fmt.Errorf("connect to the seccomp listener %s: %w", path, err),
			unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), path), nil
}

// Send sends the state of the container's process and, with it, the listener: one
// message, whose file is the one that the state's fds name.
//
//	{"ociVersion":"1.3.0","fds":["seccompFd"],"pid":4422,"metadata":"…","state":{…}}
func Send(connection *os.File, state specs.ContainerProcessState, listener *os.File) error {
	state.Fds = []string{specs.SeccompFdName}
	text, err := json.Marshal(state)
	if err != nil {
		return fmt.Errorf("state for the seccomp listener: %w", err)
	}
	rights := unix.UnixRights(int(listener.Fd()))
	if err := unix.Sendmsg(int(connection.Fd()), text, rights, nil, 0); err != nil {
		return fmt.Errorf("send the seccomp listener to %s: %w", connection.Name(), err)
	}
	return nil
}
