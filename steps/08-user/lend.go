package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// openTree opens a file or directory as a mount that has no place yet.
//
//	mount --rbind PATH SOMEWHERE
func openTree(path string) (int, error) {
	return unix.OpenTree(unix.AT_FDCWD, path,
		unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
}

// lend lends what the container is made of, on the host, and names the layers
// as the child will find them. What root names on the command line it lends;
// the rest of the host stays out of reach.
func lend(c *container, attr *os.ProcAttr) error {
	var dirs []string
	if c.Rootfs != "" {
		dirs = append(dirs, c.Rootfs)
	}
	for i, dir := range c.Layers.Lower {
		c.Layers.Lower[i] = lentName(len(dirs))
		dirs = append(dirs, dir)
	}
	if dir, name := filepath.Split(c.Layers.Upper); name != "" {
		// Upper and its working directory have to be in one mount.
		c.Layers.Upper = filepath.Join(lentName(len(dirs)), name)
		dirs = append(dirs, dir)
	}
	c.User.FirstLent, c.User.LentRoot = len(attr.Files), len(dirs)
	for _, v := range c.Volumes {
		dirs = append(dirs, v.Source)
	}
	for _, dir := range dirs {
		tree, err := openTree(dir)
		if err != nil {
			return fmt.Errorf("open_tree %s: %w", dir, err)
		}
		c.User.trees = append(c.User.trees, os.NewFile(uintptr(tree), dir))
	}
	c.User.Lent = len(dirs)
	attr.Files = append(attr.Files, c.User.trees...)
	return nil
}

// lentName is the name of a lent directory in the child's scratch directory.
func lentName(n int) string { return fmt.Sprint("lent", n) }

// shiftOwners makes root's files in what is lent those of the container's root,
// on the host: through such a mount the owner 0 on the disk is read, and
// written, as what the container's map makes of 0.
//
//	mount -o X-mount.idmap=/proc/PID/ns/user …
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
		_ = tree.Close() // the child holds it from here on
	}
	return nil
}

// takeRoot mounts the root that was lent, in the container, and makes it the
// working directory.
func takeRoot(c *container) error {
	for n := range c.User.Lent {
		unix.CloseOnExec(c.User.FirstLent + n)
	}
	if c.User.LentRoot == 0 || c.Rootfs == "" {
		return nil
	}
	defer unix.Close(c.User.FirstLent)
	c.Rootfs = "."
	return enterOnTop(c.User.FirstLent)
}

// takeLayers mounts the layers that were lent, in the container, in the
// scratch file system, with which they will go. An open one would stay within
// reach, as /proc/1/fd/N, and with it what lies beside upper.
func takeLayers(c *container) error {
	for n := range c.User.LentRoot {
		if err := os.Mkdir(lentName(n), 0o755); err != nil {
			return err
		}
		fd := c.User.FirstLent + n
		err := unix.MoveMount(fd, "", unix.AT_FDCWD, lentName(n),
			unix.MOVE_MOUNT_F_EMPTY_PATH)
		if err := errors.Join(err, unix.Close(fd)); err != nil {
			return fmt.Errorf("move_mount %s: %w", lentName(n), err)
		}
	}
	return nil
}

// openVolume opens the source of a volume, in the container: by its name, or
// as the mount that was lent.
func openVolume(c *container, i int) (int, error) {
	if c.User.Lent == 0 {
		return openTree(c.Volumes[i].Source)
	}
	return c.User.FirstLent + c.User.LentRoot + i, nil
}
