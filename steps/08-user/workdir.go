package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// work is the overlay's working directory: beside upper, for a finished file
// is renamed from there to upper, and that needs one file system.
func (l *layers) work() string { return l.Upper + ".work" }

// lockUpper holds upper for this container alone, on the host. Two overlays
// that write to one directory spoil it, and the kernel warns only in its log.
func lockUpper(c *container) error {
	upper := c.Layers.Upper
	dir, err := os.Open(upper)
	if err != nil {
		return fmt.Errorf("upper %q: %w", upper, cause(err))
	}
	c.undo = append(c.undo, dir.Close) // which unlocks it
	err = unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return fmt.Errorf("upper %q: another container uses it", upper)
	} else if err != nil {
		return fmt.Errorf("flock %s: %w", upper, err)
	}
	return nil
}

// makeWork makes the working directory, on the host, or takes over the one
// that a killed run has left.
func makeWork(c *container) error {
	work := c.Layers.work()
	err := os.Mkdir(work, 0o700)
	if errors.Is(err, fs.ErrExist) {
		err = checkWork(work)
	}
	if err != nil {
		return fmt.Errorf("work directory %q: %w", work, cause(err))
	}
	c.undo = append(c.undo, func() error { return removeWork(work) })
	return nil
}

// checkWork refuses a directory that an overlay cannot have left.
func checkWork(work string) error {
	entries, err := os.ReadDir(work)
	for _, e := range entries {
		if e.Name() != "work" && e.Name() != "index" {
			return fmt.Errorf("%s is there: not left by an overlay", e.Name())
		}
	}
	return err
}

// removeWork removes the working directory and what the kernel made in it, on
// the host.
func removeWork(work string) error {
	var errs []error
	for _, name := range []string{"work", "index"} {
		made := filepath.Join(work, name)
		// Their mode is 000, which shuts out everyone but root. Without a
		// mount they were never made.
		_ = os.Chmod(made, 0o700)
		errs = append(errs, os.RemoveAll(made))
	}
	return errors.Join(append(errs, os.Remove(work))...)
}
