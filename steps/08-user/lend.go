package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// lend opens a directory for a child that is nobody outside: it could not get
// there through root's home, and would find root's files nobody's. It runs on
// the host, as root.
// mount --rbind DIR SOMEWHERE
func (u *userns) lend(dir string) error {
	const clone = unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC |
		unix.AT_RECURSIVE
	fd, err := unix.OpenTree(unix.AT_FDCWD, dir, clone)
	if err != nil {
		return fmt.Errorf("open_tree %s: %w", dir, err)
	}
	u.trees = append(u.trees, os.NewFile(uintptr(fd), dir))
	return nil
}

// lendRoot lends what the container's root is made of, on the host.
func lendRoot(c *container, attr *os.ProcAttr) error {
	c.User.FirstLent = len(attr.Files)
	if c.Rootfs != "" {
		if err := c.User.lend(c.Rootfs); err != nil {
			return err
		}
	}
	c.User.Lent = len(c.User.trees)
	attr.Files = append(attr.Files, c.User.trees...)
	return nil
}

// shiftOwners makes root's files in the lent directories those of the
// container's root, on the host: through such a mount the owner 0 on the disk
// is read, and written, as what the container's map makes of 0.
// mount -o X-mount.idmap=/proc/PID/ns/user …
func shiftOwners(c *container) error {
	if len(c.User.trees) == 0 {
		return nil
	}
	ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/user", c.child.Pid))
	if err != nil {
		return err
	}
	defer ns.Close()
	for _, tree := range c.User.trees {
		err := unix.MountSetattr(int(tree.Fd()), "", unix.AT_EMPTY_PATH,
			&unix.MountAttr{
				Attr_set:  unix.MOUNT_ATTR_IDMAP,
				Userns_fd: uint64(ns.Fd()),
			})
		if err == unix.EINVAL { // this file system cannot do it
			say(fmt.Errorf("%s: the container may read it and no more: "+
				"its file system cannot shift owners", tree.Name()), "")
		} else if err != nil {
			return fmt.Errorf("mount_setattr %s idmap: %w", tree.Name(), err)
		}
		tree.Close()
	}
	return nil
}

// takeRoot mounts the root that was lent, in the container, and makes it the
// working directory. It lies on top of /, where it hides nothing: a path that
// begins with / starts below it.
func takeRoot(c *container) error {
	if c.User.Lent == 0 {
		return nil
	}
	fd := c.User.FirstLent
	defer unix.Close(fd)
	err := unix.MoveMount(fd, "", unix.AT_FDCWD, "/",
		unix.MOVE_MOUNT_F_EMPTY_PATH)
	if err != nil {
		return fmt.Errorf("move_mount the root that was lent: %w", err)
	}
	c.Rootfs = "."
	return unix.Fchdir(fd)
}
