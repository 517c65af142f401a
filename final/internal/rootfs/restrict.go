package rootfs

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Mask hides a path: a file under the host's /dev/null, a directory under an empty one.
// A path that is not there needs no mask.
func (r *Root) Mask(name string) error {
	fd, err := r.Resolve(name)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }() // it was not written to
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return mountOn(fd, FS{
			Type: "tmpfs", Source: "tmpfs", Data: "size=0k,nr_inodes=1",
			Flags: unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC,
		})
	}
	null, err := openNull()
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(null) }() // a mount that has a place needs it no longer
	return attachTo(null, fd)
}

// openNull opens the host's /dev/null as a mount that has no place yet. The image's may
// be anything.
func openNull() (int, error) {
	fd, err := unix.OpenTree(unix.AT_FDCWD, "/dev/null",
		unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("open_tree /dev/null: %w", err)
	}
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	if err == nil && (st.Mode&unix.S_IFMT != unix.S_IFCHR || st.Rdev != unix.Mkdev(1, 3)) {
		err = errors.New("the host's /dev/null is not the device 1:3")
	}
	if err != nil {
		return -1, errors.Join(err, unix.Close(fd))
	}
	return fd, nil
}

// Protect makes a path read-only, with all that is mounted below it. A path that is
// not there needs no protection.
func (r *Root) Protect(name string) error {
	fd, err := r.Resolve(name)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }() // it was not written to
	tree, err := clone(fd, unix.AT_RECURSIVE)
	if err != nil {
		return fmt.Errorf("open_tree: %w", err)
	}
	defer func() { _ = unix.Close(tree) }() // a mount that has a place needs it no longer
	if err := (Attrs{Set: unix.MOUNT_ATTR_RDONLY}).apply(tree, unix.AT_RECURSIVE); err != nil {
		return err
	}
	return attachTo(tree, fd)
}

// Readonly makes one mount read-only, and not those in it.
func (r *Root) Readonly(name string) error {
	fd, err := r.Resolve(name)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }() // it was not written to
	return Attrs{Set: unix.MOUNT_ATTR_RDONLY}.apply(fd, 0)
}
