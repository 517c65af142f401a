//go:build linux

package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// Write does one write that Compile has asked for.
func (c *Cgroup) Write(w Write) error {
	p, err := c.place(w.Controller)
	if err != nil {
		return fmt.Errorf("%s: %w", w.From, err)
	}
	err = w.do(p.Dir)
	for w.Instead != nil && errors.Is(err, fs.ErrNotExist) {
		w = *w.Instead
		err = w.do(p.Dir)
	}
	absent := errors.Is(err, fs.ErrNotExist)
	switch {
	case absent && w.Optional:
		err = nil
	case absent:
		err = fmt.Errorf("%s: this kernel has no %s: %w", w.From, w.File, err)
	case err != nil:
		err = fmt.Errorf("%s: %w", w.From, err)
	}
	return err
}

// do writes the value.
func (w Write) do(dir string) error {
	if err := w.check(dir); err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, w.File), w.Value)
}

// check holds NotBelow: of version 2 the kernel would kill to reach the limit.
func (w Write) check(dir string) error {
	if w.NotBelow == "" || w.Value == "max" {
		return nil
	}
	limit, err := strconv.ParseUint(w.Value, 10, 64)
	if err != nil {
		return fmt.Errorf("compare with %s: %w", w.NotBelow, err)
	}
	used, err := readNumber(filepath.Join(dir, w.NotBelow))
	if err == nil && limit < used {
		err = fmt.Errorf("%s is %d already: %w", w.NotBelow, used, unix.EBUSY)
	}
	return err
}

// Update does the writes for a container that runs. Which of two limits must be
// raised or lowered first (memory before memory and swap, quota before burst) depends
// on what they are: one that the kernel calls invalid is tried again after the rest.
// Compile the writes from what Merge returns. systemd is told first what it knows of
// them, for it writes it, too.
func (c *Cgroup) Update(writes []Write) error {
	if c.Scope != nil {
		if err := c.Scope.limit(writes); err != nil {
			return err
		}
	}
	var again []Write
	for _, w := range writes {
		err := c.Write(w)
		if errors.Is(err, unix.EINVAL) {
			again = append(again, w)
		} else if err != nil {
			return err
		}
	}
	for _, w := range again {
		if err := c.Write(w); err != nil {
			return err
		}
	}
	return nil
}
