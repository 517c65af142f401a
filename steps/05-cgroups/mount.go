package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/moby/sys/mount"
	"golang.org/x/sys/unix"
)

// checkRootfs refuses a root file system that cannot be one. It runs on the
// host, before there is anything to undo.
func checkRootfs(c *container) error {
	if c.Rootfs == "" {
		return nil
	}
	info, err := os.Stat(c.Rootfs)
	if err != nil {
		return fmt.Errorf("rootfs %q: %w", c.Rootfs, cause(err))
	}
	if !info.IsDir() {
		return fmt.Errorf("rootfs %q: not a directory", c.Rootfs)
	}
	return nil
}

// enterRoot gives the container its own view of the file system. It runs in
// the container, whose mount namespace begins as a copy of the host's.
func enterRoot(c *container) error {
	// The copy is still a peer of the host's mounts where those are shared,
	// as systemd makes them: what is mounted here would appear there.
	// mount --make-rprivate /
	if err := mount.MakeRPrivate("/"); err != nil {
		return err
	}
	if c.Rootfs == "" {
		// A /proc shows the PID namespace of whoever mounts it.
		return mount.Mount("proc", "/proc", "proc", "nosuid,nodev,noexec")
	}
	if err := mountRoot(c.Rootfs); err != nil {
		return err
	}
	if err := mountSystem(c.Rootfs); err != nil {
		return err
	}
	return pivotRoot(c.Rootfs)
}

// mountRoot makes the directory a mount point, for pivot_root(2) exchanges
// mounts, not directories. It runs in the container.
//
//	mount --rbind ROOT ROOT
func mountRoot(root string) error {
	return mount.Mount(root, root, "", "rbind")
}

// mountSystem mounts the kernel's own file systems under the new root. It runs
// in the container, while the host's /dev can still be reached.
func mountSystem(root string) error {
	for _, system := range []struct {
		name  string
		mount func(target string) error
	}{{"proc", mountProc}, {"sys", mountSys}, {"dev", mountDev}} {
		target := filepath.Join(root, system.name)
		// A symbolic link in an image could lead a mount anywhere.
		if info, err := os.Lstat(target); err != nil || !info.IsDir() {
			return fmt.Errorf("rootfs %q: no directory %s", root, system.name)
		}
		if err := system.mount(target); err != nil {
			return err
		}
	}
	return nil
}

// mountProc shows the processes of the container.
//
//	mount -t proc proc TARGET
func mountProc(target string) error {
	return mount.Mount("proc", target, "proc", "nosuid,nodev,noexec")
}

// mountSys shows the kernel's devices, read-only.
//
//	mount -t sysfs -o ro sysfs TARGET
func mountSys(target string) error {
	err := mount.Mount("sysfs", target, "sysfs", "ro,nosuid,nodev,noexec")
	if !errors.Is(err, unix.EPERM) {
		return err
	}
	// sysfs belongs to the network namespace: whoever has no right over that
	// one gets no new sysfs, but may have the host's, read-only.
	if err := mount.Mount("/sys", target, "", "rbind"); err != nil {
		return err
	}
	readonly := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	err = unix.MountSetattr(unix.AT_FDCWD, target, unix.AT_RECURSIVE, readonly)
	if err != nil {
		return fmt.Errorf("mount_setattr %s read-only: %w", target, err)
	}
	return nil
}

// pivotRoot makes the new root the root and lets go of the old one. chroot(2)
// would leave the old root mounted, and with it a way out.
func pivotRoot(root string) error {
	if err := os.Chdir(root); err != nil {
		return err
	}
	// With both names "." the old root comes to lie on top of the new one, so
	// no directory is needed for it; the umount takes it off again.
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot_root %s: %w", root, err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("umount the old root: %w", err)
	}
	return os.Chdir("/")
}
