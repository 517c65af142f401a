//go:build linux

package stage

import (
	"errors"
	"fmt"
	"os"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// UserNamespace makes a user namespace that nobody lives in, for its maps: files can be
// shown with the owners that they have in it (mount_setattr(2)). It takes a process to make
// one: this program, called by words that have it end with its input. The open file keeps
// the namespace.
func UserNamespace(words []string, uids, gids []specs.LinuxIDMapping) (*os.File, error) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socketpair: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(ends[0]), "caller"), os.NewFile(uintptr(ends[1]), "input")
	child := Child{
		Args: words, Files: []*os.File{theirs}, New: unix.CLONE_NEWUSER, UIDs: uids, GIDs: gids,
	}
	if child.Exe, err = Self(); err != nil {
		return nil, errors.Join(err, ours.Close(), theirs.Close())
	}
	pid, err := Start(&child)
	err = errors.Join(err, child.Exe.Close(), theirs.Close())
	var namespace *os.File
	if err == nil {
		namespace, err = os.Open(fmt.Sprintf("/proc/%d/ns/user", pid))
	}
	err = errors.Join(err, ours.Close()) // the end of it
	if pid > 0 {
		_, _ = unix.Wait4(pid, nil, 0, nil) // how it ended tells nothing
	}
	if err != nil {
		return nil, fmt.Errorf("make a user namespace: %w", err)
	}
	return namespace, nil
}
