//go:build linux

package stage

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// self is the file that this process executes.
const self = "/proc/self/exe"

// Protect is for who starts a program among processes that are not trusted: from its
// birth until it executes the program, a child is a copy of its parent, and who may trace
// it can open its parent's file as /proc/PID/exe. PR_SET_DUMPABLE does not stop those who
// have CAP_SYS_PTRACE. Where the child cannot name another file, as image.go tells, this
// executes the program anew, with the same arguments, from a file that nobody can write
// to. Nothing may have been done yet; Protect returns if there is nothing to do, or with
// an error.
func Protect() error {
	if canRename() || isProtected() {
		return nil
	}
	return anew()
}

// anew executes this program from the read-only clone.
func anew() error {
	file, err := Self()
	if err != nil {
		return err
	}
	SetSlack(Slack()) // this need not be the first thread
	// The file closes itself. Go's own execve(2) gives the limit of open files back.
	err = syscall.Exec(fmt.Sprintf("/proc/self/fd/%d", file.Fd()), os.Args, os.Environ())
	return fmt.Errorf("execute this program anew: %w", err)
}

// isProtected reports whether the file that this process executes is on a read-only
// mount, or is a sealed copy in memory.
func isProtected() bool {
	var fs unix.Statfs_t
	if unix.Statfs(self, &fs) != nil {
		return false
	}
	if fs.Flags&unix.ST_RDONLY != 0 {
		return true
	}
	fd, err := unix.Open(self, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer func() { _ = unix.Close(fd) }() // it was not written to
	seals, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0)
	return err == nil && seals&unix.F_SEAL_FUTURE_WRITE != 0
}

// Self opens this program for being executed in a container, which must not get at the
// file itself through /proc/self/exe: it is read-only for everybody, whatever the
// container's root may do. That is a mount of the one file without a place. Where there
// can be none it is a sealed copy in memory, which takes thirty times as long: for those
// who may not mount, and for a program that was started in another mount namespace.
func Self() (*os.File, error) {
	if isProtected() {
		return os.OpenFile(self, unix.O_PATH|unix.O_CLOEXEC, 0)
	}
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
	source, err := os.Open(self)
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
