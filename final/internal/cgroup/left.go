//go:build linux

package cgroup

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Discard ends what runs in the cgroups of an absolute path, in whichever hierarchy they
// are, and removes them. It is for what a runtime has left that was killed before it could
// write down what it had made.
func (h Host) Discard(path string) error {
	left := h.left(path)
	var errs []error
	for _, c := range left {
		errs = append(errs, c.Kill()) // in all before one is removed: one may be frozen
	}
	for _, c := range left {
		errs = append(errs, c.Remove())
	}
	return errors.Join(errs...)
}

// left are the cgroups of a path, each as one of its own: a process that was about to join
// them all may be in some.
func (h Host) left(path string) (all []*Cgroup) {
	for _, hierarchy := range h.Hierarchies {
		dir := filepath.Join(hierarchy.Mount, path)
		if _, err := os.Lstat(dir); err == nil {
			all = append(all, &Cgroup{Path: path, Made: true, Places: []Place{{
				Version: hierarchy.Version, Mount: hierarchy.Mount, Root: hierarchy.Root, Dir: dir,
				Controllers: hierarchy.Controllers,
			}}})
		}
	}
	return all
}

// Idle lists the cgroups at the top of a hierarchy whose names begin with a prefix and in
// which there is no process in any hierarchy.
func (h Host) Idle(prefix string) (names []string) {
	busy := map[string]bool{}
	for _, hierarchy := range h.Hierarchies {
		found, _ := filepath.Glob(filepath.Join(hierarchy.Mount, prefix+"*")) // a good pattern
		for _, dir := range found {
			name := filepath.Base(dir)
			busy[name] = busy[name] || isPopulated(dir)
		}
	}
	for name, is := range busy {
		if !is {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// isPopulated reports whether there is a process in a cgroup or below it, be it one that
// is seen here or not. What cannot be read is taken for populated.
func isPopulated(dir string) bool {
	found := errors.New("found")
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(path, "cgroup.procs"))
		if err == nil && strings.TrimSpace(string(text)) != "" {
			return found
		}
		return err
	})
	return err != nil && !isGone(err)
}

// RemoveIdle removes the cgroups of a path with those below them. One that a process has
// joined meanwhile stays, and is an error.
func (h Host) RemoveIdle(path string) error {
	var errs []error
	for _, c := range h.left(path) {
		errs = append(errs, removeTree(c.Places[0].Dir, time.Now()))
	}
	return errors.Join(errs...)
}
