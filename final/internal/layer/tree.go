package layer

import (
	"errors"
	"fmt"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// tree is a directory out of which no name leads.
type tree struct {
	fd int

	// The directory that was used last. A tar's entries are grouped by directory.
	name string
	last int
}

// forget drops the directory that was used last: its name may lead elsewhere now.
func (t *tree) forget() {
	if t.last >= 0 {
		_ = unix.Close(t.last) // nothing was written to it
	}
	t.last = -1
}

// clean makes a tar's name one below the directory: without a slash in front, "." for the
// directory itself. A name that climbs out is refused.
func clean(name string) (string, error) {
	below := path.Clean(name)
	if below == ".." || len(below) > 2 && below[:3] == "../" {
		return "", fmt.Errorf("%w: the name %q leads out of it", ErrHostile, name)
	}
	if len(below) >= unix.PathMax {
		return "", fmt.Errorf("%w: a name has %d bytes", ErrTooLarge, len(below))
	}
	// Climbing at the very top stays there: /../x is /x.
	if below = path.Clean("/" + below)[1:]; below == "" {
		below = "."
	}
	return below, nil
}

// parent opens the directory of a clean name, and returns the name in it. Directories that
// are missing are made, as tars that leave them out expect. The descriptor is the tree's.
func (t *tree) parent(name string) (fd int, base string, err error) {
	dir, base := path.Split(name)
	dir = path.Clean(dir)
	if t.last >= 0 && t.name == dir {
		return t.last, base, nil
	}
	fd, err = t.dir(dir)
	if err != nil {
		return -1, "", err
	}
	t.forget()
	t.name, t.last = dir, fd
	return fd, base, nil
}

// resolve opens what a name stands for, never outside of the tree: a link to /etc is one
// to the tree's own etc.
func (t *tree) resolve(name string, flags uint64) (int, error) {
	how := &unix.OpenHow{
		Flags:   flags | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	}
	for {
		fd, err := unix.Openat2(t.fd, name, how)
		// EAGAIN: a rename elsewhere made the kernel unsure about a .. on the way.
		if !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.EAGAIN) {
			return fd, err
		}
	}
}

// dir opens a directory, which is made, with those above it, if it is missing.
func (t *tree) dir(name string) (int, error) {
	fd, err := t.resolve(name, unix.O_PATH|unix.O_DIRECTORY)
	if err == nil || name == "." {
		return fd, err
	}
	above, base, parentErr := t.parent(name)
	if parentErr != nil {
		return -1, parentErr
	}
	switch {
	case errors.Is(err, unix.ENOENT):
		err = unix.Mkdirat(above, base, 0o755)
		if errors.Is(err, unix.EEXIST) {
			return -1, fmt.Errorf("%w: %q is a link to nothing in the same layer", ErrFormat, name)
		}
	case errors.Is(err, unix.ENOTDIR):
		err = replaceWhiteout(above, base)
	}
	if err != nil {
		return -1, &os.PathError{Op: "mkdir", Path: name, Err: err}
	}
	return unix.Openat(above, base,
		unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
}

// replaceWhiteout makes a directory where a whiteout is: what lower layers have under that
// name is deleted, and does not show in it.
func replaceWhiteout(dir int, base string) error {
	if !isWhiteout(dir, base) {
		return unix.ENOTDIR
	}
	if err := unix.Unlinkat(dir, base, 0); err != nil {
		return err
	}
	if err := unix.Mkdirat(dir, base, 0o755); err != nil {
		return err
	}
	return makeOpaque(dir, base)
}

// remove deletes what has a name in a directory, with all that is in it, and follows no
// link. Nothing of that name is fine.
func remove(dir int, base string) error {
	err := unix.Unlinkat(dir, base, 0)
	if err == nil || errors.Is(err, unix.ENOENT) {
		return nil
	}
	// EISDIR is Linux's answer, EPERM that of POSIX.
	if !errors.Is(err, unix.EISDIR) && !errors.Is(err, unix.EPERM) {
		return err
	}
	names, err := namesIn(dir, base)
	if err != nil {
		return err
	}
	fd, err := openDir(dir, base)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err = remove(fd, name); err != nil {
			break
		}
	}
	if err := errors.Join(err, unix.Close(fd)); err != nil {
		return err
	}
	return unix.Unlinkat(dir, base, unix.AT_REMOVEDIR)
}

// openDir opens a directory in another, and follows no link.
func openDir(dir int, base string) (int, error) {
	return unix.Openat(dir, base,
		unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
}

// namesIn reads a directory in another.
func namesIn(dir int, base string) ([]string, error) {
	fd, err := openDir(dir, base)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), base)
	defer f.Close()
	return f.Readdirnames(-1)
}
