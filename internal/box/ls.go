//go:build linux

package box

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// ls lists files. Devices show major and minor in place of the size, so the whiteout
// of an overlay is the line `c--------- 1 root root 0, 0 … name`.
func ls(c *call) error {
	o, err := c.parse("ladinA1hR")
	if err != nil {
		return err
	}
	names := c.args
	if len(names) == 0 {
		names = []string{"."}
	}
	var files, dirs []string
	for _, name := range names {
		info, err := os.Lstat(name)
		if err == nil && info.Mode()&fs.ModeSymlink != 0 && !o.has("l", "d") {
			// A link to a directory named as operand is listed, except by -l.
			if target, terr := os.Stat(name); terr == nil {
				info = target
			}
		}
		switch {
		case err != nil:
			c.warn(err)
		case info.IsDir() && !o.has("d"):
			dirs = append(dirs, name)
		default:
			files = append(files, name)
		}
	}
	c.listFiles(o, "", files)
	for i, dir := range dirs {
		c.listDir(o, dir, len(names) > 1, i > 0 || len(files) > 0)
	}
	return nil
}

// listDir lists a directory, under its name when several are listed.
func (c *call) listDir(o options, dir string, named, gap bool) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		c.warn(err)
		return
	}
	if gap {
		c.printf("\n")
	}
	if named || o.has("R") {
		c.printf("%s:\n", dir)
	}
	var names []string
	if o.has("a") {
		names = append(names, ".", "..")
	}
	for _, e := range entries {
		if o.has("a", "A") || !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	c.listFiles(o, dir, names)
	for _, e := range entries {
		if o.has("R") && e.IsDir() {
			c.listDir(o, filepath.Join(dir, e.Name()), true, true)
		}
	}
}

// listFiles prints the named files of dir: long, in columns, or one a line.
func (c *call) listFiles(o options, dir string, names []string) {
	slices.Sort(names)
	if o.has("l", "n") {
		c.listLong(o, dir, names)
		return
	}
	for i, name := range names {
		if o.has("i") {
			var st unix.Stat_t
			if err := unix.Lstat(filepath.Join(dir, name), &st); err != nil {
				c.warn(&fs.PathError{Op: "lstat", Path: name, Err: err})
			}
			names[i] = fmt.Sprintf("%7d %s", st.Ino, name)
		}
	}
	if !o.has("1") && term.IsTerminal(1) {
		c.columns(names)
		return
	}
	for _, name := range names {
		c.printf("%s\n", name)
	}
}

// columns prints names in as many columns as the terminal is wide.
func (c *call) columns(names []string) {
	widest := 0
	for _, name := range names {
		widest = max(widest, len(name)+2)
	}
	if widest == 0 {
		return
	}
	width, _, err := term.GetSize(1)
	if err != nil || width <= 0 {
		width = 80
	}
	perLine := max(1, width/widest)
	rows := (len(names) + perLine - 1) / perLine
	for row := range rows {
		for i := row; i < len(names); i += rows {
			if i+rows < len(names) {
				c.printf("%-*s", widest, names[i])
			} else {
				c.printf("%s\n", names[i])
			}
		}
	}
}

// listLong prints one line a file:
//
//	drwxr-xr-x 2 root root 4096 Jan  2 15:04 etc
//	crw-rw-rw- 1 root root 1, 3 Jan  2 15:04 null
//	lrwxrwxrwx 1 root root    3 Jan  2 15:04 sbin -> bin
func (c *call) listLong(o options, dir string, names []string) {
	var rows [][]string
	for _, name := range names {
		path := name
		if dir != "" {
			path = filepath.Join(dir, name)
		}
		info, err := os.Lstat(path)
		if err != nil {
			c.warn(err)
			continue
		}
		st := info.Sys().(*syscall.Stat_t)
		if target, err := os.Readlink(path); err == nil {
			name += " -> " + target
		}
		inode := ""
		if o.has("i") {
			inode = strconv.FormatUint(st.Ino, 10)
		}
		rows = append(rows, []string{
			inode, modeString(st.Mode),
			links(st), owner("/etc/passwd", st.Uid, o),
			owner("/etc/group", st.Gid, o), sizeOf(st, o), dateOf(info.ModTime()), name,
		})
	}
	c.align(rows)
}

// links returns the number of names of a file.
func links(st *syscall.Stat_t) string {
	return strconv.FormatUint(uint64(st.Nlink), 10) //nolint:unconvert // Of 32 bits on arm64.
}

// align prints the rows of listLong: names to the left, numbers to the right.
func (c *call) align(rows [][]string) {
	var widths [7]int
	for _, row := range rows {
		for i := range widths {
			widths[i] = max(widths[i], len(row[i]))
		}
	}
	for _, row := range rows {
		if widths[0] > 0 {
			c.printf("%*s ", widths[0], row[0])
		}
		c.printf("%s %*s %-*s %-*s %*s %s %s\n", row[1], widths[2], row[2], widths[3], row[3],
			widths[4], row[4], widths[5], row[5], row[6], row[7])
	}
}

// owner returns the name of a user or group, or with -n its number.
func owner(file string, id uint32, o options) string {
	number := strconv.Itoa(int(id))
	if o.has("n") {
		return number
	}
	return nameOf(file, int(id), number)
}

// sizeOf returns the size, or "major, minor" of a device.
func sizeOf(st *syscall.Stat_t, o options) string {
	switch {
	case st.Mode&unix.S_IFMT == unix.S_IFCHR || st.Mode&unix.S_IFMT == unix.S_IFBLK:
		return fmt.Sprintf("%d, %d", unix.Major(st.Rdev), unix.Minor(st.Rdev))
	case o.has("h"):
		return human(uint64(st.Size))
	}
	return strconv.FormatInt(st.Size, 10)
}

// dateOf returns the time as ls does: with the clock when it is near, with the year
// when it is more than half a year away.
func dateOf(t time.Time) string {
	if since := time.Since(t); since > 182*24*time.Hour || since < -time.Hour {
		return t.Format("Jan _2  2006")
	}
	return t.Format("Jan _2 15:04")
}

// modeString returns the ten letters of a mode, such as drwxr-xr-x.
func modeString(mode uint32) string {
	text := []byte("?rwxrwxrwx")
	text[0] = typeLetter(mode)
	for i := range 9 {
		if mode&(1<<(8-i)) == 0 {
			text[i+1] = '-'
		}
	}
	special := func(bit uint32, at int, letter byte) {
		if mode&bit == 0 {
			return
		}
		if text[at] == '-' {
			letter -= 'a' - 'A'
		}
		text[at] = letter
	}
	special(unix.S_ISUID, 3, 's')
	special(unix.S_ISGID, 6, 's')
	special(unix.S_ISVTX, 9, 't')
	return string(text)
}

// typeLetter returns the letter ls and find use for the type of a file.
func typeLetter(mode uint32) byte {
	switch mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return 'd'
	case unix.S_IFLNK:
		return 'l'
	case unix.S_IFCHR:
		return 'c'
	case unix.S_IFBLK:
		return 'b'
	case unix.S_IFIFO:
		return 'p'
	case unix.S_IFSOCK:
		return 's'
	}
	return '-'
}

// human returns a number of bytes in at most four characters: 512, 4.0K, 30M.
func human(n uint64) string {
	if n < 1024 {
		return strconv.FormatUint(n, 10)
	}
	value, unit := float64(n), -1
	for value >= 1024 && unit < 4 {
		value /= 1024
		unit++
	}
	format := "%.0f%c"
	if value < 10 {
		format = "%.1f%c"
	}
	return fmt.Sprintf(format, value, "KMGTP"[unit])
}
