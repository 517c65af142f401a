//go:build linux

package stage

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Self opens this program for being executed in a container, which must not get at the
// file itself through /proc/self/exe: it is read-only for everybody, whatever the
// container's root may do. That is a mount of the one file without a place. Where there
// can be none it is a sealed copy in memory, which takes thirty times as long: for those
// who may not mount, and for a program that was started in another mount namespace.
func Self() (*os.File, error) {
	file, err := mountSelf()
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		return copySelf()
	}
	return file, err
}

// mountSelf is a read-only mount of this program, without a place.
//
//	mount --bind -o ro /proc/self/exe SOMEWHERE
func mountSelf() (*os.File, error) {
	const self = "/proc/self/exe"
	fd, err := unix.OpenTree(unix.AT_FDCWD, self, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("open_tree %s: %w", self, err)
	}
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, &attr); err != nil {
		err = fmt.Errorf("mount_setattr %s read-only: %w", self, err)
		return nil, errors.Join(err, unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), self), nil
}

// copySelf is a copy of this program in memory that nobody can change any longer.
func copySelf() (*os.File, error) {
	// F_SEAL_WRITE also waits until nobody has a page in hands, and gives up with EBUSY.
	// Nobody has mapped this file: all writes are future ones.
	const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW |
		unix.F_SEAL_FUTURE_WRITE
	source, err := os.Open("/proc/self/exe")
	if err != nil {
		return nil, err
	}
	defer source.Close()
	fd, err := unix.MemfdCreate("minirun", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("memfd_create for a copy of this program: %w", err)
	}
	copied := os.NewFile(uintptr(fd), "memfd:minirun")
	if _, err := io.Copy(copied, source); err != nil {
		return nil, errors.Join(fmt.Errorf("copy this program: %w", err), copied.Close())
	}
	if _, err := unix.FcntlInt(copied.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		err = fmt.Errorf("seal the copy of this program: %w", err)
		return nil, errors.Join(err, copied.Close())
	}
	return copied, nil
}
