package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// work is the overlay's working directory: beside upper, for a finished file
// is renamed from there to upper, and that needs one file system.
func (l *layers) work() string { return l.Upper + ".work" }

// claimLayers checks the layers, and takes upper for this container alone. It
// runs on the host.
func claimLayers(c *container) (err error) {
	l := &c.Layers
	if len(l.Lower) > maxLayers {
		return fmt.Errorf("lower: %d layers, and the kernel stacks %d at most",
			len(l.Lower), maxLayers)
	}
	for i, dir := range l.Lower {
		if l.Lower[i], err = realDirectory("lower", dir); err != nil {
			return err
		}
	}
	if l.Upper == "" {
		return nil
	}
	if l.Upper, err = realDirectory("upper", l.Upper); err != nil {
		return err
	}
	if err := lockUpper(c); err != nil {
		return err
	}
	return makeWork(c)
}

// realDirectory returns a directory's absolute name without symbolic links.
func realDirectory(what, dir string) (string, error) {
	path, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("%s %q: %w", what, dir, err)
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return "", fmt.Errorf("%s %q: %w", what, dir, cause(err))
	}
	if info, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%s %q: %w", what, dir, cause(err))
	} else if !info.IsDir() {
		return "", fmt.Errorf("%s %q: not a directory", what, dir)
	}
	return path, nil
}

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

// inUserNamespace reports whether user ids are mapped here. It runs in the
// container. The first user namespace maps every id to itself:
//
//	     0          0 4294967295
//	inside    outside      count
func inUserNamespace() bool {
	text, err := os.ReadFile("/proc/self/uid_map")
	all := []string{"0", "0", "4294967295"}
	return err == nil && !slices.Equal(strings.Fields(string(text)), all)
}

// because adds to the kernel's answer what it means for an overlay.
func because(err error) error {
	switch {
	case errors.Is(err, unix.ELOOP):
		return fmt.Errorf("%w: one layer lies inside another", err)
	case errors.Is(err, unix.EINVAL):
		return fmt.Errorf("%w: the file system of upper cannot hold one, "+
			"or upper is a mount point (see dmesg)", err)
	case errors.Is(err, unix.ENODEV):
		return fmt.Errorf("%w: this kernel has no overlay file system", err)
	}
	return err
}
