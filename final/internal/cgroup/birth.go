//go:build linux

package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Birth holds what a process joins the cgroup with as it is born.
type Birth struct {
	dir   *os.File
	tasks []*os.File
}

// Birth opens what the runtime hands to clone3(2) and to the child. Close it when
// the child is there.
func (c *Cgroup) Birth() (*Birth, error) {
	b := &Birth{}
	for _, p := range c.Places {
		if err := b.open(p); err != nil {
			return nil, errors.Join(err, b.Close())
		}
	}
	return b, nil
}

// open opens one place: the directory of version 2, the file tasks of version 1.
func (b *Birth) open(p Place) error {
	if p.Version == 2 {
		fd, err := unix.Open(p.Dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("open cgroup %s: %w", p.Dir, err)
		}
		b.dir = os.NewFile(uintptr(fd), p.Dir)
		return nil
	}
	path := filepath.Join(p.Dir, "tasks")
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	b.tasks = append(b.tasks, os.NewFile(uintptr(fd), path))
	return nil
}

// Dir is the cgroup of version 2 for CLONE_INTO_CGROUP, nil if there is none.
func (b *Birth) Dir() *os.File { return b.dir }

// Tasks are the files of version 1 to which the child writes 0, on the locked thread that
// clones or executes next: 0 is the writing thread, not its process. It comes before the
// cgroup namespace is unshared, or /proc/self/cgroup would show the way from the old root
// to the new one. On a hybrid machine there may be both.
//
//	echo 0 > /sys/fs/cgroup/memory/NAME/tasks
func (b *Birth) Tasks() []*os.File { return b.tasks }

// Close closes them all in this process.
func (b *Birth) Close() error {
	var errs []error
	if b.dir != nil {
		errs = append(errs, b.dir.Close())
	}
	for _, file := range b.tasks {
		errs = append(errs, file.Close())
	}
	return errors.Join(errs...)
}
