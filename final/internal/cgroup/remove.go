//go:build linux

package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long Remove waits for the last process to be gone.
const patience = 10 * time.Second

// Remove removes the container's cgroup with all that was made below it, and then
// the cgroups above that Make has made, as long as nobody else is in them. Removing
// one that is gone already is no error.
func (c *Cgroup) Remove() error {
	deadline := time.Now().Add(patience)
	var errs []error
	if c.Scope != nil { // only StartScope notes it
		errs = append(errs, c.Scope.stop())
	}
	for _, p := range c.Places {
		var err error
		if c.isOurs(p) {
			err = removeTree(p.Dir, deadline)
		} else if slices.Contains(p.Made, p.Dir) {
			// Who has made it was killed before it could be marked: then it is empty. One
			// that is somebody else's, and in use, stays.
			_ = unix.Rmdir(p.Dir)
		}
		if err == nil {
			p.removeParents()
			err = p.leaveRoom(deadline)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// removeParents removes the cgroups above the container's that carry our mark.
func (p Place) removeParents() {
	for dir := filepath.Dir(p.Dir); len(dir) > len(p.Mount); dir = filepath.Dir(dir) {
		_, marked := markOf(dir)
		if !slices.Contains(p.Made, dir) && !marked || unix.Rmdir(dir) != nil {
			return // another container's cgroup is in it
		}
	}
}

// markName is the attribute by which a cgroup is known for one that Make has made: a
// runtime may be killed before it can write that down, and of those above the
// container's own the container that leaves last need not be the one that came first.
const markName = "user.minirun"

// mark marks a cgroup as the container's. Without the mark, on an old kernel, what was
// written down is all that is known.
func (p Place) mark(dir string) { _ = unix.Setxattr(dir, markName, []byte(p.Mark), 0) }

// markOf returns the mark of a cgroup; false if none of ours is there.
func markOf(dir string) (string, bool) {
	var mark [128]byte
	n, err := unix.Getxattr(dir, markName, mark[:])
	return string(mark[:max(n, 0)]), err == nil
}

// isOurs reports whether a place is the container's beyond doubt.
func (c *Cgroup) isOurs(p Place) bool {
	mark, marked := markOf(p.Dir)
	return c.Made || marked && mark == p.Mark
}

// removeTree removes a cgroup, its descendants first. A process that has ended is
// in it for a moment still: EBUSY until the deadline.
//
//	find DIR -depth -type d -exec rmdir {} \;
func removeTree(dir string, deadline time.Time) error {
	for pause := 100 * time.Microsecond; ; pause = min(2*pause, 10*time.Millisecond) {
		err := unix.Rmdir(dir)
		if errors.Is(err, unix.EBUSY) {
			if err := removeChildren(dir, deadline); err != nil {
				return err
			}
			err = unix.Rmdir(dir)
		}
		switch {
		case err == nil || errors.Is(err, unix.ENOENT):
			return nil
		case !errors.Is(err, unix.EBUSY):
			return fmt.Errorf("rmdir %s: %w", dir, err)
		case time.Now().After(deadline):
			return stillBusy(dir, err)
		}
		time.Sleep(pause)
	}
}

// removeChildren removes the cgroups below one.
func removeChildren(dir string, deadline time.Time) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, entry := range entries {
		if entry.IsDir() {
			if err := removeTree(filepath.Join(dir, entry.Name()), deadline); err != nil {
				return err
			}
		}
	}
	return nil
}

// stillBusy says which process keeps a cgroup.
func stillBusy(dir string, err error) error {
	pids, _ := readPids(filepath.Join(dir, "cgroup.procs")) // it is about err
	if len(pids) > 0 {
		return fmt.Errorf("rmdir %s: process %d is in it: %w", dir, pids[0], err)
	}
	return fmt.Errorf("rmdir %s: %w", dir, err)
}
