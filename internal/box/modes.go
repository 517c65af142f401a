//go:build linux

package box

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

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
