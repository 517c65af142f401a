package layer

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Diff tells what a directory of changes, overlay's upper one, does to the lower ones, of
// which the topmost comes first. Nothing needs to be mounted: names are looked up in the
// directories as overlayfs does, and no link is followed, so that upper may be that of a
// container that runs. A directory is changed if it has other attributes than before, or
// if anything below it is changed.
func Diff(upper string, lower []string) ([]Change, error) {
	fd, err := unix.Open(upper, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: upper, Err: err}
	}
	defer unix.Close(fd) //nolint:errcheck // It was read.
	c := &comparison{}
	err = c.directory(fd, "/", lower)
	slices.SortFunc(c.all, func(a, b Change) int { return strings.Compare(a.Name, b.Name) })
	return c.all, err
}

// comparison is one call of Diff.
type comparison struct{ all []Change }

// directory compares an open directory with the lower ones that show through.
func (c *comparison) directory(fd int, name string, lower []string) error {
	names, err := namesIn(fd, ".")
	if err != nil {
		return fmt.Errorf("read the directory %s: %w", name, err)
	}
	if isOpaque(fd) {
		for below := range namesOf(lower) {
			if !slices.Contains(names, below) {
				c.add(Deleted, path.Join(name, below), 0)
			}
		}
	}
	slices.Sort(names)
	for _, base := range names {
		if err := c.entry(fd, base, path.Join(name, base), lower); err != nil {
			return err
		}
	}
	return nil
}

// entry compares what has a name in an open directory.
func (c *comparison) entry(dir int, base, name string, lower []string) error {
	var now unix.Stat_t
	err := unix.Fstatat(dir, base, &now, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) {
		return nil // it has gone meanwhile
	}
	if err != nil {
		return fmt.Errorf("look at %s: %w", name, err)
	}
	before, dirs := lookUp(lower, base)
	kind := Added
	if before != nil {
		kind = Replaced
	}
	switch {
	case whiteoutStat(&now):
		if before != nil {
			c.add(Deleted, name, 0)
		}
		return nil
	case now.Mode&unix.S_IFMT != unix.S_IFDIR:
		c.add(kind, name, now.Size)
		return nil
	}
	fd, err := openDir(dir, base)
	if err != nil {
		return fmt.Errorf("open the directory %s: %w", name, err)
	}
	defer unix.Close(fd) //nolint:errcheck // It was read.
	at := len(c.all)
	c.add(kind, name, 0)
	if err := c.directory(fd, name, dirs); err != nil {
		return err
	}
	if len(c.all) == at+1 && before != nil && sameDir(before, &now) {
		c.all = c.all[:at] // it was on the way to what is as before
	}
	return nil
}

// add notes a change.
func (c *comparison) add(kind Kind, name string, size int64) {
	c.all = append(c.all, Change{Kind: kind, Name: name, Size: size})
}

// sameDir reports whether a directory's own attributes are as before.
func sameDir(a, b *unix.Stat_t) bool {
	return a.Mode == b.Mode && a.Uid == b.Uid && a.Gid == b.Gid && a.Mtim == b.Mtim
}

// lookUp finds what merged directories show under a name, nil if that is nothing: the
// topmost one decides. Of directories, those below it are merged, down to an opaque one or
// one below which the name is something else.
func lookUp(lower []string, base string) (found *unix.Stat_t, dirs []string) {
	for _, dir := range lower {
		below := path.Join(dir, base)
		var stat unix.Stat_t
		if unix.Lstat(below, &stat) != nil {
			continue // it is not there
		}
		isDir := stat.Mode&unix.S_IFMT == unix.S_IFDIR
		if found == nil && !whiteoutStat(&stat) {
			found = &stat
		}
		if !isDir {
			break
		}
		dirs = append(dirs, below)
		if isOpaquePath(below) {
			break
		}
	}
	return found, dirs
}

// namesOf are the names that merged directories show.
func namesOf(lower []string) map[string]bool {
	names := map[string]bool{}
	for _, dir := range lower {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue // it was just there, and layers do not change
		}
		for _, e := range entries {
			if found, _ := lookUp(lower, e.Name()); found != nil {
				names[e.Name()] = true
			}
		}
	}
	return names
}

// isOpaque reports whether nothing of lower directories shows through an open one.
func isOpaque(fd int) bool {
	for _, name := range []string{trustedOpaque, userOpaque} {
		if value, err := getXattr(fd, name); err == nil && value == "y" {
			return true
		}
	}
	return false
}

// isOpaquePath is isOpaque of a directory that does not change.
func isOpaquePath(dir string) bool {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd) //nolint:errcheck // It was read.
	return isOpaque(fd)
}
