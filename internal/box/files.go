//go:build linux

package box

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// pathError is a failed system call on a path, in the form of package os.
func pathError(call, path string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: call, Path: path, Err: err}
}

// mkdir makes directories, with -p also their parents.
func mkdir(c *call) error {
	o, err := c.parse("pm:", "parents")
	if err == nil {
		err = c.wants(1, -1)
	}
	if err != nil {
		return err
	}
	mode, err := strconv.ParseUint(o.get("m", "0777"), 8, 12)
	if err != nil {
		return misused("option -m: %q is not an octal mode", o.get("m", ""))
	}
	for _, dir := range c.args {
		if o.has("p", "parents") {
			if err := os.MkdirAll(dir, 0o777); err != nil {
				c.warn(err)
				continue
			}
		} else if err := unix.Mkdir(dir, uint32(mode)); err != nil {
			c.warn(pathError("mkdir", dir, err))
			continue
		}
		if o.has("m") {
			c.warn(pathError("chmod", dir, unix.Chmod(dir, uint32(mode))))
		}
	}
	return nil
}

// rmdir removes empty directories.
func rmdir(c *call) error {
	return c.eachPath(func(path string) error {
		return pathError("rmdir", path, unix.Rmdir(path))
	})
}

// eachPath parses no options and calls f with every operand.
func (c *call) eachPath(f func(path string) error) error {
	if _, err := c.parse(""); err != nil {
		return err
	}
	if err := c.wants(1, -1); err != nil {
		return err
	}
	for _, path := range c.args {
		c.warn(f(path))
	}
	return nil
}

// rm removes files, with -r whole trees. It never removes the root directory.
func rm(c *call) error {
	o, err := c.parse("rRf")
	if err != nil {
		return err
	}
	if len(c.args) == 0 && !o.has("f") {
		return misused("missing operand")
	}
	for _, path := range c.args {
		info, err := os.Lstat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist) && o.has("f"):
		case err != nil:
			c.warn(err)
		case info.IsDir() && !o.has("r", "R"):
			c.warn(pathError("unlink", path, syscall.EISDIR))
		case info.IsDir() && isRoot(info):
			c.warn(fmt.Errorf("remove %s: refused for the root directory", path))
		default:
			c.warn(os.RemoveAll(path))
		}
	}
	return nil
}

// isRoot reports whether info is that of the root directory.
func isRoot(info fs.FileInfo) bool {
	root, err := os.Stat("/")
	return err == nil && os.SameFile(root, info)
}

// touch makes files, or sets the times of existing ones to now.
func touch(c *call) error {
	o, err := c.parse("c")
	if err == nil {
		err = c.wants(1, -1)
	}
	if err != nil {
		return err
	}
	for _, path := range c.args {
		err := unix.UtimesNanoAt(unix.AT_FDCWD, path, nil, 0)
		if errors.Is(err, fs.ErrNotExist) && !o.has("c") {
			var fd int
			flags := unix.O_CREAT | unix.O_WRONLY | unix.O_CLOEXEC | unix.O_NOCTTY
			fd, err = unix.Open(path, flags, 0o666)
			if err == nil {
				err = unix.Close(fd)
			}
		} else if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		c.warn(pathError("open", path, err))
	}
	return nil
}

// mknod makes a device or a pipe: mknod NAME c MAJOR MINOR, mknod NAME p.
func mknod(c *call) error {
	o, err := c.parse("m:")
	if err == nil {
		err = c.wants(2, 4)
	}
	if err != nil {
		return err
	}
	mode, err := strconv.ParseUint(o.get("m", "0666"), 8, 12)
	if err != nil {
		return misused("option -m: %q is not an octal mode", o.get("m", ""))
	}
	types := map[string]uint32{
		"c": unix.S_IFCHR, "u": unix.S_IFCHR, "b": unix.S_IFBLK,
		"p": unix.S_IFIFO,
	}
	kind, ok := types[c.args[1]]
	if !ok || (kind == unix.S_IFIFO) != (len(c.args) == 2) {
		return misused("want NAME c|b MAJOR MINOR or NAME p")
	}
	var dev uint64
	if kind != unix.S_IFIFO {
		major, merr := strconv.ParseUint(c.args[2], 10, 32)
		minor, nerr := strconv.ParseUint(c.args[len(c.args)-1], 10, 32)
		if len(c.args) != 4 || merr != nil || nerr != nil {
			return misused("want NAME c|b MAJOR MINOR or NAME p")
		}
		dev = unix.Mkdev(uint32(major), uint32(minor))
	}
	return pathError("mknod", c.args[0], unix.Mknod(c.args[0], kind|uint32(mode), int(dev)))
}

// mkfifo makes named pipes.
func mkfifo(c *call) error {
	return c.eachPath(func(path string) error {
		return pathError("mkfifo", path, unix.Mkfifo(path, 0o666))
	})
}

// readlink prints the target of a link, with -f the path without any links.
func readlink(c *call) error {
	o, err := c.parse("fn")
	if err == nil {
		err = c.wants(1, -1)
	}
	if err != nil {
		return err
	}
	end := "\n"
	if o.has("n") {
		end = ""
	}
	for _, path := range c.args {
		target, err := os.Readlink(path)
		if o.has("f") {
			target, err = resolve(path)
		}
		if err != nil {
			c.warn(err)
			continue
		}
		c.printf("%s%s", target, end)
	}
	return nil
}

// realpath prints absolute paths without links.
func realpath(c *call) error {
	return c.eachPath(func(path string) error {
		target, err := resolve(path)
		if err == nil {
			c.printf("%s\n", target)
		}
		return err
	})
}

// resolve returns the absolute path without links; the last part need not exist.
func resolve(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	full, err := filepath.EvalSymlinks(abs)
	if errors.Is(err, fs.ErrNotExist) {
		if _, lerr := os.Lstat(abs); lerr == nil {
			return "", err // A link that leads nowhere.
		}
		parent, perr := filepath.EvalSymlinks(filepath.Dir(abs))
		return filepath.Join(parent, filepath.Base(abs)), perr
	}
	return full, err
}

// sync writes cached file data to the disks.
func syncAll(*call) error {
	unix.Sync()
	return nil
}

// stamp formats a time as stat(1) does.
func stamp(ts syscall.Timespec) string {
	return time.Unix(ts.Unix()).Format("2006-01-02 15:04:05.000000000 -0700")
}
