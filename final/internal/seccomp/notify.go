//go:build linux

package seccomp

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

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
