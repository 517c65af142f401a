//go:build linux

package box

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
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
			fd, err = unix.Open(path, unix.O_CREAT|unix.O_WRONLY|unix.O_CLOEXEC|unix.O_NOCTTY, 0o666)
			if err == nil {
				err = unix.Close(fd)
			}
		} else if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		c.warn(pathError("touch", path, err))
	}
	return nil
}

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
	return c.eachPair(func(src, dst string) error {
		info, err := os.Stat(src)
		if o.has("a", "d") {
			info, err = os.Lstat(src)
		}
		if err != nil {
			return err
		}
		if info.IsDir() {
			if !o.has("r", "R", "a") {
				return pathError("copy", src, errors.New("is a directory: use -r"))
			}
			if inside(src, dst) {
				return fmt.Errorf("copy %s to %s: it lies inside", src, dst)
			}
			return copyTree(src, dst, o.has("a", "p"))
		}
		if info.Mode().IsRegular() || !o.has("a", "d") {
			if err := copyFile(src, dst, info); err != nil {
				return err
			}
			if o.has("a", "p") {
				return copyMeta(dst, info)
			}
			return nil
		}
		return copyTree(src, dst, o.has("a"))
	})
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
	}
	return pathError("mknod", dst, unix.Mknod(dst, st.Mode, int(st.Rdev)))
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

// walk calls f for every operand, with -R for all below.
func (c *call) walk(o options, paths []string, f func(path string, info fs.FileInfo) error) {
	for _, root := range paths {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err == nil {
				err = f(path, info)
			}
			c.warn(err)
			if d.IsDir() && !o.has("R") {
				return fs.SkipDir
			}
			return nil
		})
		c.warn(err)
	}
}

// chmod sets modes, octal (0755) or symbolic (u+x,go-w). It does not follow the
// symbolic links it meets in a tree.
func chmod(c *call) error {
	// A mode such as -x looks like an option.
	recursive := len(c.args) > 0 && c.args[0] == "-R"
	if recursive {
		c.args = c.args[1:]
	}
	if err := c.wants(2, -1); err != nil {
		return err
	}
	o := options{}
	if recursive {
		o["R"] = nil
	}
	text := c.args[0]
	if _, err := newMode(0, text); err != nil {
		return err
	}
	c.walk(o, c.args[1:], func(path string, info fs.FileInfo) error {
		if info.Mode()&fs.ModeSymlink != 0 && recursive {
			return nil
		}
		target, err := os.Stat(path)
		if err != nil {
			return err
		}
		mode, err := newMode(target.Sys().(*syscall.Stat_t).Mode, text)
		if err != nil {
			return err
		}
		return pathError("chmod", path, unix.Chmod(path, mode))
	})
	return nil
}

// newMode applies an octal or symbolic mode to the old one.
func newMode(old uint32, text string) (uint32, error) {
	if n, err := strconv.ParseUint(text, 8, 12); err == nil {
		return uint32(n), nil
	}
	mode := old & 0o7777
	for clause := range strings.SplitSeq(text, ",") {
		at := strings.IndexAny(clause, "+-=")
		if at < 0 {
			return 0, misused("mode %q is neither octal nor like u+x", text)
		}
		who := clause[:at]
		if who == "" || strings.Contains(who, "a") {
			who = "ugo"
		}
		mask, bits, err := modeBits(old, who, clause[at+1:])
		if err != nil {
			return 0, misused("mode %q: %v", text, err)
		}
		switch clause[at] {
		case '+':
			mode |= bits
		case '-':
			mode &^= bits
		case '=':
			mode = mode&^mask | bits
		}
	}
	return mode, nil
}

// modeBits returns all bits of the classes in who, and those that perms names.
func modeBits(old uint32, who, perms string) (mask, bits uint32, err error) {
	shifts := map[rune]uint{'u': 6, 'g': 3, 'o': 0}
	special := map[rune]uint32{'u': unix.S_ISUID, 'g': unix.S_ISGID}
	for _, class := range who {
		shift, ok := shifts[class]
		if !ok {
			return 0, 0, fmt.Errorf("unknown class %q", class)
		}
		mask |= 7<<shift | special[class]
		for _, p := range perms {
			switch p {
			case 'r', 'w', 'x':
				bits |= map[rune]uint32{'r': 4, 'w': 2, 'x': 1}[p] << shift
			case 'X':
				if old&unix.S_IFMT == unix.S_IFDIR || old&0o111 != 0 {
					bits |= 1 << shift
				}
			case 's':
				bits |= special[class]
			case 't':
				bits |= unix.S_ISVTX
			default:
				return 0, 0, fmt.Errorf("unknown permission %q", p)
			}
		}
	}
	return mask, bits, nil
}

// chown sets owner and group: USER, USER:GROUP, :GROUP, by name or number.
func chown(c *call) error {
	o, err := c.parse("Rh")
	if err == nil {
		err = c.wants(2, -1)
	}
	if err != nil {
		return err
	}
	user, group, _ := strings.Cut(c.args[0], ":")
	uid, err := idOf("/etc/passwd", user)
	if err != nil {
		return err
	}
	gid, err := idOf("/etc/group", group)
	if err != nil {
		return err
	}
	c.walk(o, c.args[1:], func(path string, _ fs.FileInfo) error {
		if o.has("R", "h") {
			return os.Lchown(path, uid, gid)
		}
		return os.Chown(path, uid, gid)
	})
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
	types := map[string]uint32{"c": unix.S_IFCHR, "u": unix.S_IFCHR, "b": unix.S_IFBLK,
		"p": unix.S_IFIFO}
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
