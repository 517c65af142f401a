//go:build linux

package engine

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"github.com/moby/sys/user"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"lab/final/internal/rootfs"
)

// lookUp finds a user of the container, NAME|UID[:GROUP|GID], in its /etc/passwd and
// /etc/group, and the home directory. The names of files are resolved as the container
// sees them.
func lookUp(root, name string) (specs.User, string, error) {
	r, err := rootfs.Open(root)
	if err != nil {
		return specs.User{}, "", err
	}
	defer r.Close()
	passwd, group := open(r, "/etc/passwd"), open(r, "/etc/group")
	defer passwd.Close()
	defer group.Close()
	found, err := user.GetExecUser(name, &user.ExecUser{Home: "/"}, passwd, group)
	if err != nil {
		return specs.User{}, "", &UserError{name, err}
	}
	u := specs.User{UID: uint32(found.Uid), GID: uint32(found.Gid)}
	for _, gid := range found.Sgids {
		u.AdditionalGids = append(u.AdditionalGids, uint32(gid))
	}
	return u, found.Home, nil
}

// UserError is one about a user that the container has not.
type UserError struct {
	Name string
	Err  error
}

// Error tells which one.
func (e *UserError) Error() string { return fmt.Sprintf("user %q: %v", e.Name, e.Err) }

// Unwrap returns what was wrong.
func (e *UserError) Unwrap() error { return e.Err }

// open opens a file of the container's, or nothing in its place: an image may have none.
func open(r *rootfs.Root, name string) io.ReadCloser {
	fd, err := r.OpenFile(name, unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		return io.NopCloser(strings.NewReader(""))
	}
	return os.NewFile(uintptr(fd), name)
}

// makeDir makes sure that a directory is there, as the container sees it, and returns its
// clean name. A new one belongs to the user who will work there.
func makeDir(root, name string, owner specs.User) (string, error) {
	name = path.Clean("/" + name)
	r, err := rootfs.Open(root)
	if err != nil {
		return name, err
	}
	defer r.Close()
	if fd, err := r.Resolve(name); err == nil {
		return name, unix.Close(fd)
	}
	fd, err := r.Dir(name)
	if err != nil {
		return name, err
	}
	err = unix.Fchownat(fd, "", int(owner.UID), int(owner.GID), unix.AT_EMPTY_PATH)
	return name, errors.Join(err, unix.Close(fd))
}
