//go:build linux

package box

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// stat prints what the kernel knows of files, with -c in a form of one's own.
func stat(c *call) error {
	o, err := c.parse("c:L")
	if err == nil {
		err = c.wants(1, -1)
	}
	if err != nil {
		return err
	}
	for _, path := range c.args {
		info, err := os.Lstat(path)
		if o.has("L") {
			info, err = os.Stat(path)
		}
		if err != nil {
			c.warn(err)
			continue
		}
		st := info.Sys().(*syscall.Stat_t)
		if !o.has("c") {
			c.printf("%s", statText(path, st))
			continue
		}
		text, err := statFormat(o.get("c", ""), path, st)
		if err != nil {
			return err
		}
		c.printf("%s\n", text)
	}
	return nil
}

// statText returns stat's own form:
//
//	  File: /etc/passwd
//	  Size: 31          Blocks: 8          IO Block: 4096   regular file
//	Device: 0,28        Inode: 1234        Links: 1
//	Access: (0644/-rw-r--r--)  Uid: 0/root  Gid: 0/root
//	Modify: 2006-01-02 15:04:05.000000000 +0000
func statText(path string, st *syscall.Stat_t) string {
	if target, err := os.Readlink(path); err == nil && st.Mode&unix.S_IFMT == unix.S_IFLNK {
		path += " -> " + target
	}
	device := ""
	if st.Rdev != 0 {
		device = fmt.Sprintf("  Device type: %d,%d", unix.Major(st.Rdev), unix.Minor(st.Rdev))
	}
	return fmt.Sprintf("  File: %s\n", path) +
		fmt.Sprintf("  Size: %-11d Blocks: %-10d IO Block: %-6d %s\n",
			st.Size, st.Blocks, st.Blksize, typeName(st)) +
		fmt.Sprintf("Device: %-11s Inode: %-11d Links: %d%s\n",
			fmt.Sprintf("%d,%d", unix.Major(st.Dev), unix.Minor(st.Dev)), st.Ino,
			st.Nlink, device) +
		fmt.Sprintf("Access: (%04o/%s)  Uid: %d/%s  Gid: %d/%s\n", st.Mode&0o7777,
			modeString(st.Mode), st.Uid, owner("/etc/passwd", st.Uid, nil),
			st.Gid, owner("/etc/group", st.Gid, nil)) +
		fmt.Sprintf("Access: %s\nModify: %s\nChange: %s\n",
			stamp(st.Atim), stamp(st.Mtim), stamp(st.Ctim))
}

// statFormat replaces the % letters of a format.
func statFormat(format, path string, st *syscall.Stat_t) (string, error) {
	var text strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			text.WriteByte(format[i])
			continue
		}
		i++
		field, ok := statField(format[i], path, st)
		if !ok {
			return "", misused("option -c: unknown format %%%c", format[i])
		}
		text.WriteString(field)
	}
	return text.String(), nil
}

// statField returns the value of one % letter.
func statField(letter byte, path string, st *syscall.Stat_t) (string, bool) {
	decimal := func(n uint64) (string, bool) { return strconv.FormatUint(n, 10), true }
	switch letter {
	case '%':
		return "%", true
	case 'n':
		return path, true
	case 'i':
		return decimal(st.Ino)
	case 'd':
		return decimal(st.Dev)
	case 'a':
		return strconv.FormatUint(uint64(st.Mode&0o7777), 8), true
	case 'A':
		return modeString(st.Mode), true
	case 'f':
		return strconv.FormatUint(uint64(st.Mode), 16), true
	case 'F':
		return typeName(st), true
	case 'u':
		return decimal(uint64(st.Uid))
	case 'g':
		return decimal(uint64(st.Gid))
	case 'U':
		return owner("/etc/passwd", st.Uid, nil), true
	case 'G':
		return owner("/etc/group", st.Gid, nil), true
	case 's':
		return decimal(uint64(st.Size))
	case 'b':
		return decimal(uint64(st.Blocks))
	case 'h':
		return links(st), true
	case 't':
		return strconv.FormatUint(uint64(unix.Major(st.Rdev)), 16), true
	case 'T':
		return strconv.FormatUint(uint64(unix.Minor(st.Rdev)), 16), true
	case 'Y':
		return decimal(uint64(st.Mtim.Sec))
	}
	return "", false
}

// typeName returns the type of a file in words.
func typeName(st *syscall.Stat_t) string {
	switch typeLetter(st.Mode) {
	case 'd':
		return "directory"
	case 'l':
		return "symbolic link"
	case 'c':
		return "character special file"
	case 'b':
		return "block special file"
	case 'p':
		return "fifo"
	case 's':
		return "socket"
	}
	if st.Size == 0 {
		return "regular empty file"
	}
	return "regular file"
}
