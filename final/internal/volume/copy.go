package volume

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"lab/final/internal/rootfs"
)

// Fill copies what an image has at a path into a volume that is empty and that no other
// container has, with owners, modes and times. The path is looked up in the root as a
// process inside would. An image that has nothing there is no error.
func (s *Store) Fill(name, id, root, path string) error {
	lock, err := s.lock()
	if err != nil {
		return err
	}
	defer lock.Close()
	v, err := s.Inspect(name)
	if err != nil {
		return err
	}
	others, err := s.user(name, func(user string) bool { return user != id })
	if err != nil || others != "" {
		return err
	}
	entries, err := os.ReadDir(v.Path)
	if err != nil || len(entries) > 0 {
		return err
	}
	if err := s.fill(v, root, path); err != nil {
		return fmt.Errorf("volume %q: fill with %s of the image: %w", name, path, err)
	}
	return nil
}

// fill copies beside and renames over the empty directory.
func (s *Store) fill(v Volume, root, path string) error {
	from, err := openIn(root, path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer from.Close()
	info, err := from.Stat()
	if err != nil || !info.IsDir() {
		return err
	}
	// Where the links on the way have led to.
	source, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", from.Fd()))
	if err != nil {
		return err
	}
	beside, err := os.MkdirTemp(s.path(v.Name), ".fill-*")
	if err != nil {
		return err
	}
	if err := CopyTree(source, beside); err != nil {
		return errors.Join(err, os.RemoveAll(beside))
	}
	// os.Rename would not take the place of an empty directory, which rename(2) does.
	if err := unix.Rename(beside, v.Path); err != nil {
		return &os.LinkError{Op: "rename", Old: beside, New: v.Path, Err: err}
	}
	return nil
}

// openIn opens a path as a process sees it whose root that is: no link leads out.
func openIn(root, path string) (*os.File, error) {
	top, err := os.Open(root)
	if err != nil {
		return nil, err
	}
	defer top.Close()
	fd, err := rootfs.At(int(top.Fd())).Resolve(strings.TrimLeft(path, "/"))
	if err != nil {
		return nil, &fs.PathError{Op: "openat2", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

// CopyTree copies a directory's content into another that is there, with all that makes
// up a file: owner, mode, times, extended attributes, and hard links between two of them.
func CopyTree(from, to string) error {
	c := copier{links: map[[2]uint64]string{}}
	var dirs []string // relative paths, parents first
	err := filepath.WalkDir(from, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below := strings.TrimPrefix(strings.TrimPrefix(path, from), "/")
		target := filepath.Join(to, below)
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		if info.IsDir() {
			dirs = append(dirs, below)
			if below == "" {
				return nil
			}
			return os.Mkdir(target, 0o700)
		}
		return c.copy(path, target)
	})
	if err != nil {
		return err
	}
	// A directory's time changes with what is put there, so it is told last.
	for _, dir := range slices.Backward(dirs) {
		if err := copyMeta(filepath.Join(from, dir), filepath.Join(to, dir)); err != nil {
			return err
		}
	}
	return nil
}

// copier knows which files with several names it has copied.
type copier struct{ links map[[2]uint64]string }

// copy copies anything but a directory.
func (c copier) copy(from, to string) error {
	var st unix.Stat_t
	if err := unix.Lstat(from, &st); err != nil {
		return &fs.PathError{Op: "lstat", Path: from, Err: err}
	}
	if st.Nlink > 1 {
		key := [2]uint64{st.Dev, st.Ino}
		if first, ok := c.links[key]; ok {
			return os.Link(first, to)
		}
		c.links[key] = to
	}
	var err error
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		err = copyFile(from, to)
	case unix.S_IFLNK:
		var target string
		if target, err = os.Readlink(from); err == nil {
			err = os.Symlink(target, to)
		}
	case unix.S_IFSOCK:
		return nil // nobody listens to a copy
	default:
		if err = unix.Mknod(to, st.Mode&^0o7777|0o600, int(st.Rdev)); err != nil {
			err = &fs.PathError{Op: "mknod", Path: to, Err: err}
		}
	}
	if err != nil {
		return err
	}
	return copyMeta(from, to)
}

// copyFile copies a file's content; the kernel may share the blocks of both.
func copyFile(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	return errors.Join(err, target.Close())
}

// copyMeta makes owner, mode, extended attributes and times the same. The owner comes
// first: to change it takes set-user-ID bits and capabilities away.
func copyMeta(from, to string) error {
	var st unix.Stat_t
	if err := unix.Lstat(from, &st); err != nil {
		return &fs.PathError{Op: "lstat", Path: from, Err: err}
	}
	if err := os.Lchown(to, int(st.Uid), int(st.Gid)); err != nil {
		return err
	}
	if err := copyXattrs(from, to); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFLNK {
		if err := unix.Chmod(to, st.Mode&0o7777); err != nil {
			return &fs.PathError{Op: "chmod", Path: to, Err: err}
		}
	}
	times := []unix.Timespec{st.Atim, st.Mtim}
	err := unix.UtimesNanoAt(unix.AT_FDCWD, to, times, unix.AT_SYMLINK_NOFOLLOW)
	if err != nil {
		return &fs.PathError{Op: "utimensat", Path: to, Err: err}
	}
	return nil
}

// copyXattrs copies extended attributes but those that are overlay's own.
func copyXattrs(from, to string) error {
	buffer := make([]byte, 64<<10) // the kernel's limit of a list and of a value
	n, err := unix.Llistxattr(from, buffer)
	if errors.Is(err, unix.EOPNOTSUPP) {
		return nil
	}
	if err != nil {
		return &fs.PathError{Op: "listxattr", Path: from, Err: err}
	}
	value := make([]byte, 64<<10)
	for name := range strings.SplitSeq(strings.TrimRight(string(buffer[:n]), "\x00"), "\x00") {
		if name == "" || strings.Contains(name, ".overlay.") {
			continue
		}
		n, err := unix.Lgetxattr(from, name, value)
		if err != nil {
			return &fs.PathError{Op: "getxattr " + name, Path: from, Err: err}
		}
		if err := unix.Lsetxattr(to, name, value[:n], 0); err != nil {
			return &fs.PathError{Op: "setxattr " + name, Path: to, Err: err}
		}
	}
	return nil
}
