//go:build linux

package box

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// eachPair splits operands as cp, mv and ln do: SOURCE DEST, or SOURCE… DIRECTORY.
func (c *call) eachPair(f func(src, dst string) error) error {
	if err := c.wants(2, -1); err != nil {
		return err
	}
	last := len(c.args) - 1
	target := c.args[last]
	info, err := os.Stat(target)
	into := err == nil && info.IsDir()
	if !into && last > 1 {
		return fmt.Errorf("%s: %w", target, syscall.ENOTDIR)
	}
	for _, src := range c.args[:last] {
		dst := target
		if into {
			dst = filepath.Join(target, filepath.Base(src))
		}
		c.warn(f(src, dst))
	}
	return nil
}

// mv renames files; across file systems it copies and removes.
func mv(c *call) error {
	if _, err := c.parse("f"); err != nil {
		return err
	}
	return c.eachPair(func(src, dst string) error {
		err := os.Rename(src, dst)
		if !errors.Is(err, syscall.EXDEV) {
			return err
		}
		if err := copyTree(src, dst, true); err != nil {
			return err
		}
		return os.RemoveAll(src)
	})
}

// ln makes hard links, with -s symbolic ones.
func ln(c *call) error {
	o, err := c.parse("sfn")
	if err != nil {
		return err
	}
	if len(c.args) == 1 {
		c.args = append(c.args, ".")
	}
	return c.eachPair(func(src, dst string) error {
		if o.has("f") {
			if err := os.Remove(dst); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		if o.has("s") {
			return os.Symlink(src, dst)
		}
		return os.Link(src, dst)
	})
}

// cp copies files, with -r trees, with -a also owners, modes, times and devices.
func cp(c *call) error {
	o, err := c.parse("rRafpd")
	if err != nil {
		return err
	}
	return c.eachPair(func(src, dst string) error { return copyOne(o, src, dst) })
}

// copyOne copies one operand of cp.
func copyOne(o options, src, dst string) error {
	info, err := os.Stat(src)
	if o.has("a", "d") {
		info, err = os.Lstat(src)
	}
	if err != nil {
		return err
	}
	switch {
	case info.IsDir() && !o.has("r", "R", "a"):
		return pathError("copy", src, errors.New("is a directory: use -r"))
	case info.IsDir() && inside(src, dst):
		return fmt.Errorf("copy %s to %s: it lies inside", src, dst)
	case info.IsDir() || !info.Mode().IsRegular() && o.has("a", "d"):
		return copyTree(src, dst, o.has("a", "p"))
	}
	if err := copyFile(src, dst, info); err != nil || !o.has("a", "p") {
		return err
	}
	return copyMeta(dst, info)
}

// inside reports whether dst lies in src.
func inside(src, dst string) bool {
	a, aerr := filepath.Abs(src)
	b, berr := filepath.Abs(dst)
	return aerr == nil && berr == nil && (a == b || strings.HasPrefix(b, a+"/"))
}

// copyTree copies a file of any type, a directory with all below it. With keep it
// also copies owner, mode and times.
func copyTree(src, dst string, keep bool) error {
	return filepath.WalkDir(src, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(src, path)
		if err != nil {
			return err
		}
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		to := filepath.Join(dst, rel)
		if err := copyNode(path, to, info); err != nil {
			return err
		}
		if keep {
			return copyMeta(to, info)
		}
		return nil
	})
}

// copyNode copies one file without what is below it.
func copyNode(src, dst string, info fs.FileInfo) error {
	st := info.Sys().(*syscall.Stat_t)
	switch info.Mode().Type() {
	case 0:
		return copyFile(src, dst, info)
	case fs.ModeDir:
		err := os.Mkdir(dst, 0o777)
		if errors.Is(err, fs.ErrExist) {
			return nil
		}
		return err
	case fs.ModeSymlink:
		target, err := os.Readlink(src)
		if err != nil {
			return err
		}
		return os.Symlink(target, dst)
	default:
		return pathError("mknod", dst, unix.Mknod(dst, st.Mode, int(st.Rdev)))
	}
}

// copyFile copies the content; a new file gets the mode of the old.
func copyFile(src, dst string, info fs.FileInfo) error {
	if old, err := os.Stat(dst); err == nil && os.SameFile(old, info) {
		return fmt.Errorf("%s and %s are the same file", src, dst)
	}
	in, err := os.Open(src)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(dst, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, info.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// copyMeta gives a copy the owner, mode and times of the original. An ordinary user
// cannot give files away, so EPERM of the owner is no failure.
func copyMeta(dst string, info fs.FileInfo) error {
	st := info.Sys().(*syscall.Stat_t)
	err := os.Lchown(dst, int(st.Uid), int(st.Gid))
	if err != nil && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	if info.Mode()&fs.ModeSymlink == 0 {
		if err := unix.Chmod(dst, st.Mode&0o7777); err != nil {
			return pathError("chmod", dst, err)
		}
	}
	times := []unix.Timespec{unix.Timespec(st.Atim), unix.Timespec(st.Mtim)}
	return pathError("utimensat", dst,
		unix.UtimesNanoAt(unix.AT_FDCWD, dst, times, unix.AT_SYMLINK_NOFOLLOW))
}
