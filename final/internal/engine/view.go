//go:build linux

package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"

	"lab/final/internal/layer"
	"lab/final/internal/rootfs"
	"lab/final/internal/volume"
)

// view opens a container's files as one directory, with its volumes or without, be the
// container running or not. It is a mount that has no place, so nobody else sees it, and
// it is gone with the file:
//
//	unshare --mount sh -c 'mount -t overlay … ROOT; mount --bind VOLUME ROOT/data; …'
//
// What the kernel alone shows a container, in /proc, /dev and in memory, is not in it. The
// container is locked, so that nobody starts it meanwhile.
func (e *Engine) view(c *Container, volumes bool) (*rootfs.Root, error) {
	if !c.isUp() {
		if err := e.sweep(c); err != nil {
			return nil, err
		}
	}
	type result struct {
		tree int
		err  error
	}
	made := make(chan result)
	go func() {
		// The thread's mounts are not those of others, so it ends with this function.
		runtime.LockOSThread()
		tree, err := e.makeView(c, volumes)
		made <- result{tree, err}
	}()
	r := <-made
	if r.err != nil {
		return nil, fmt.Errorf("open the files of %s: %w", c.Name, r.err)
	}
	return rootfs.At(r.tree), nil
}

// shift is whom user 0 stands for among the files that view opens: those of a running
// container with users of its own are seen as the host sees them, else as they are on disk.
func (c *Container) shift() layer.Shift {
	if !c.isUp() {
		return 0
	}
	return layer.Shift(c.FirstID)
}

// makeView makes the directory, on a thread of which nothing is needed any more.
func (e *Engine) makeView(c *Container, volumes bool) (int, error) {
	if err := e.enterMounts(c); err != nil {
		return -1, err
	}
	root := e.rootfs(c.ID)
	if !c.isUp() {
		if err := e.mountRoot(c, nil); err != nil {
			return -1, err
		}
		defer func() { _ = e.removeState(c.ID) }() // the next start sweeps it, too
	}
	// The clone is what counts: it stays when this name is let go.
	defer func() { _ = unix.Unmount(root, unix.MNT_DETACH) }()
	r, err := rootfs.Open(root)
	if err != nil {
		return -1, err
	}
	defer r.Close()
	if volumes {
		if err := e.bindVolumes(c, r); err != nil {
			return -1, err
		}
	}
	tree, err := rootfs.OpenTree(root, true)
	if err != nil {
		return -1, fmt.Errorf("open_tree %s: %w", root, err)
	}
	if c.HostConfig.ReadonlyRootfs { // the volumes in it are not
		err = unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH,
			&unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
	}
	return tree, err
}

// enterMounts gives the thread mounts of its own: copies of the monitor's, where the
// container's layers are mounted, or of ours.
func (e *Engine) enterMounts(c *Container) error {
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	if c.isUp() {
		path := fmt.Sprintf("/proc/%d/ns/mnt", c.State.Monitor.Pid)
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		// What was opened is the monitor's if that is still there: its number was not free.
		if !c.State.Monitor.Alive() {
			return ErrNotRunning
		}
		if err := unix.Setns(int(file.Fd()), unix.CLONE_NEWNS); err != nil {
			return fmt.Errorf("setns %s: %w", path, err)
		}
	}
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("unshare the mounts: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make / a private mount: %w", err)
	}
	return nil
}

// bindVolumes shows volumes and directories of the host at their places.
func (e *Engine) bindVolumes(c *Container, r *rootfs.Root) error {
	for i, m := range c.Mounts {
		if m.Kind == volume.Tmpfs {
			continue
		}
		source, err := e.source(c, m)
		if err != nil {
			return err
		}
		if c.shift() != 0 && m.IsLent() {
			source = filepath.Join(e.lentDir(c.ID), volumePlace(i))
		}
		t := rootfs.Tree{Source: source, Target: m.Target, Recursive: !m.NoRecursion}
		if m.ReadOnly {
			t.Attrs.Set = unix.MOUNT_ATTR_RDONLY
		}
		if err := r.Bind(t); err != nil {
			return fmt.Errorf("mount on %s: %w", m.Target, err)
		}
	}
	return nil
}
