package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// enterScratch makes an empty file system and makes it the working directory,
// in the container. It is mounted on top of /, where it hides nothing: a path
// that begins with / starts below it. So no directory of the host is needed.
func enterScratch() error {
	// mount -t tmpfs tmpfs /
	config, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return fmt.Errorf("fsopen tmpfs: %w", err)
	}
	defer unix.Close(config)
	if err := unix.FsconfigSetString(config, "mode", "755"); err != nil {
		return fmt.Errorf("fsconfig mode=755: %w", err)
	}
	if err := unix.FsconfigCreate(config); err != nil {
		return fmt.Errorf("fsconfig create tmpfs: %w", err)
	}
	tmpfs, err := unix.Fsmount(config, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("fsmount tmpfs: %w", err)
	}
	defer unix.Close(tmpfs)
	return enterOnTop(tmpfs)
}

// leaveScratch puts the overlay on top of / instead of the scratch file system,
// in the container. The overlay holds on to its layers without their names.
func leaveScratch() error {
	merged, err := unix.OpenTree(unix.AT_FDCWD, "merged",
		unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return fmt.Errorf("open_tree merged: %w", err)
	}
	defer unix.Close(merged)
	// Left below, it would be what pivotRoot unmounts, and the host's root
	// would stay within reach at /.. of the container.
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("umount scratch: %w", err)
	}
	return enterOnTop(merged)
}

// enterOnTop mounts a file system that has no place yet on top of / and makes
// it the working directory, in the container.
func enterOnTop(fs int) error {
	err := unix.MoveMount(fs, "", unix.AT_FDCWD, "/",
		unix.MOVE_MOUNT_F_EMPTY_PATH)
	if err != nil {
		return fmt.Errorf("move_mount to /: %w", err)
	}
	return unix.Fchdir(fs)
}
