package build

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// rdev is which device a device file is.
func rdev(info fs.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Rdev) //nolint:unconvert // 32 bits wide on some machines
	}
	return 0
}

// owner is who a file belongs to.
func owner(info fs.FileInfo) (uid, gid int) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid), int(st.Gid)
	}
	return 0, 0
}

// isEmpty reports whether there is nothing in a directory.
func isEmpty(dir string) (bool, error) {
	f, err := os.Open(dir)
	if err != nil {
		return false, err
	}
	defer f.Close()
	names, err := f.Readdirnames(1)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return len(names) == 0, err
}

// ownedBy reads --chown: names are looked up in the image.
func (w *writer) ownedBy(text string) error {
	if text == "" {
		return nil
	}
	user, group, hasGroup := strings.Cut(text, ":")
	uid, gid, err := w.lookUp("etc/passwd", user, "user")
	if err != nil {
		return err
	}
	if hasGroup {
		if gid, _, err = w.lookUp("etc/group", group, "group"); err != nil {
			return err
		}
	} else if gid < 0 {
		gid = uid
	}
	w.uid, w.gid = uid, gid
	return nil
}

// lookUp finds a number by a name, and the fourth field, which of a user is the group.
//
//	www-data:x:33:33:…
func (w *writer) lookUp(file, name, what string) (id, fourth int, err error) {
	if id, err := strconv.Atoi(name); err == nil && id >= 0 {
		return id, -1, nil
	}
	resolved, err := resolve(w.under, file)
	if err != nil {
		return 0, 0, err
	}
	f, err := w.under.open(resolved)
	if err != nil {
		return 0, 0, fmt.Errorf("--chown: %s %q: the image has no /%s", what, name, file)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Split(lines.Text(), ":")
		if len(fields) < 4 || fields[0] != name {
			continue
		}
		id, err := strconv.Atoi(fields[2])
		if err != nil {
			return 0, 0, fmt.Errorf("/%s: %q", file, lines.Text())
		}
		fourth, err := strconv.Atoi(fields[3])
		if err != nil {
			fourth = -1 // the members of a group
		}
		return id, fourth, nil
	}
	return 0, 0, fmt.Errorf("--chown: there is no %s %q in the image", what, name)
}
