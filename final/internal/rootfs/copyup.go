package rootfs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// copyUp copies what a directory holds to the file system that was mounted over it.
func (r *Root) copyUp(below int, name string) error {
	over, err := r.Dir(name)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(over) }() // it is a place, nothing was written through it
	return copyDir(below, over)
}

// copyDir copies the entries of one open directory to another.
func copyDir(from, to int) error {
	// What is open as a place only cannot be read.
	fd, err := unix.Openat(from, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	dir := os.NewFile(uintptr(fd), ".")
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := copyEntry(fd, to, name); err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(name), err)
		}
	}
	return nil
}

// copyEntry copies one file with its owner and mode, whatever kind it is of.
func copyEntry(from, to int, name string) error {
	var st unix.Stat_t
	if err := unix.Fstatat(from, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	var err error
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		err = copySub(from, to, name)
	case unix.S_IFREG:
		err = copyFile(from, to, name)
	case unix.S_IFLNK:
		err = copyLink(from, to, name)
	default:
		err = unix.Mknodat(to, name, st.Mode, int(st.Rdev))
	}
	if err != nil {
		return err
	}
	err = unix.Fchownat(to, name, int(st.Uid), int(st.Gid), unix.AT_SYMLINK_NOFOLLOW)
	if err == nil && st.Mode&unix.S_IFMT != unix.S_IFLNK {
		err = unix.Fchmodat(to, name, st.Mode&0o7777, 0)
	}
	return err
}

// copySub copies a directory with all in it.
func copySub(from, to int, name string) error {
	if err := unix.Mkdirat(to, name, 0o700); err != nil {
		return err
	}
	const flags = unix.O_PATH | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	old, err := unix.Openat(from, name, flags, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(old) }() // it was only read
	made, err := unix.Openat(to, name, flags, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(made) }() // it is a place, nothing was written through it
	return copyDir(old, made)
}

// copyFile copies a file's bytes.
func copyFile(from, to int, name string) error {
	fd, err := unix.Openat(from, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	in := os.NewFile(uintptr(fd), name)
	defer in.Close()
	fd, err = unix.Openat(to, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	out := os.NewFile(uintptr(fd), name)
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// copyLink copies a symbolic link.
func copyLink(from, to int, name string) error {
	var buffer [unix.PathMax]byte
	n, err := unix.Readlinkat(from, name, buffer[:])
	if err != nil {
		return err
	}
	return unix.Symlinkat(string(buffer[:n]), to, name)
}
