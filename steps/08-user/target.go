package main

import (
	"errors"
	"fmt"
	"path"

	"golang.org/x/sys/unix"
)

// root is the container's root while it is still a directory of the host's.
type root struct {
	fd       int
	writable bool // a directory made in it is the container's own
}

// openRoot opens the new root, in the container.
func openRoot(c *container) (root, error) {
	dir := c.Rootfs
	if dir == "" {
		dir = "/" // the host's
	}
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return root{}, fmt.Errorf("open root %s: %w", dir, err)
	}
	return root{fd, c.Layers.Upper != ""}, nil
}

// target opens the place for a mount, in the container. What is mounted on a
// name may go anywhere by then; what is mounted on an open file does not.
func (r root) target(name string, source int) (int, error) {
	var from, to unix.Stat_t
	if err := unix.Fstat(source, &from); err != nil {
		return 0, err
	}
	isDir := from.Mode&unix.S_IFMT == unix.S_IFDIR
	fd, err := r.resolve(name, 0)
	if errors.Is(err, unix.ENOENT) && r.writable {
		if err := r.create(name, isDir); err != nil {
			return 0, err
		}
		fd, err = r.resolve(name, 0)
	}
	if errors.Is(err, unix.ENOENT) {
		return 0, fmt.Errorf("%w: make it in the root, or run with -upper", err)
	} else if err != nil {
		return 0, fmt.Errorf("look it up in the root: %w", err)
	}
	err = errors.Join(unix.Fstat(fd, &to), r.suits(fd, &to, isDir))
	if err != nil {
		_ = unix.Close(fd) // nothing was written, and err says what is wrong
	}
	return fd, err
}

// resolve opens a name as the container will see it: absolute symbolic links
// and every .. stay below the root, so no image can send a mount elsewhere.
func (r root) resolve(name string, more uint64) (int, error) {
	how := &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS | more,
	}
	fd, err := unix.Openat2(r.fd, name, how)
	// EAGAIN: somebody renamed something meanwhile, so a .. is not certain.
	for range 1000 {
		if !errors.Is(err, unix.EAGAIN) {
			break
		}
		fd, err = unix.Openat2(r.fd, name, how)
	}
	return fd, err
}

// create makes a missing target and the directories on the way to it, in the
// container's own layer: RESOLVE_NO_XDEV keeps out of other mounts, such as
// another volume's, which is the host's.
func (r root) create(name string, isDir bool) error {
	parent, err := r.resolve(path.Dir(name), unix.RESOLVE_NO_XDEV)
	if errors.Is(err, unix.ENOENT) {
		if err := r.create(path.Dir(name), true); err != nil {
			return err
		}
		parent, err = r.resolve(path.Dir(name), unix.RESOLVE_NO_XDEV)
	}
	if err != nil {
		return fmt.Errorf("open %s: %w", path.Dir(name), err)
	}
	defer unix.Close(parent)
	defer unix.Umask(unix.Umask(0o022))
	if isDir {
		err = unix.Mkdirat(parent, path.Base(name), 0o755)
	} else {
		err = unix.Mknodat(parent, path.Base(name), unix.S_IFREG|0o644, 0)
	}
	if errors.Is(err, unix.EEXIST) {
		err = errors.New("a symbolic link has the name, and leads nowhere")
	}
	if err != nil {
		return fmt.Errorf("make %s: %w", name, err)
	}
	return nil
}

// suits refuses a target that a mount would spoil, in the container.
func (r root) suits(fd int, to *unix.Stat_t, isDir bool) error {
	var self unix.Stat_t
	var fs unix.Statfs_t
	if err := errors.Join(unix.Fstat(r.fd, &self),
		unix.Fstatfs(fd, &fs)); err != nil {
		return err
	}
	switch {
	case isDir && to.Mode&unix.S_IFMT != unix.S_IFDIR:
		return errors.New("HOST is a directory and CTR is not")
	case !isDir && to.Mode&unix.S_IFMT == unix.S_IFDIR:
		return errors.New("CTR is a directory and HOST is not")
	case to.Dev == self.Dev && to.Ino == self.Ino:
		return errors.New("CTR is the root itself")
	case fs.Type == unix.PROC_SUPER_MAGIC || fs.Type == unix.SYSFS_MAGIC:
		return errors.New("CTR is in the kernel's /proc or /sys")
	}
	return nil
}
