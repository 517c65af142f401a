package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

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
		return checkOverlap(l.Lower)
	}
	if l.Upper, err = realDirectory("upper", l.Upper); err != nil {
		return err
	}
	if err := checkOverlap(append(l.Lower, l.Upper)); err != nil {
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

// checkOverlap refuses a layer inside another, on the host: what is written to
// upper would change a lower layer, and the kernel lets that pass.
func checkOverlap(dirs []string) error {
	for i, dir := range dirs {
		if slices.Contains(dirs[:i], dir) {
			return fmt.Errorf("layer %q: given twice", dir)
		}
		// An overlay does not cross mounts: /tmp as a mount is not in /.
		for p := dir; p != "/" && sameDevice(p, filepath.Dir(p)); {
			if p = filepath.Dir(p); slices.Contains(dirs, p) {
				return fmt.Errorf("layer %q: lies inside layer %q", dir, p)
			}
		}
	}
	return nil
}

// sameDevice reports whether two directories are on one file system.
func sameDevice(a, b string) bool {
	var first, second unix.Stat_t
	err := errors.Join(unix.Stat(a, &first), unix.Stat(b, &second))
	return err == nil && first.Dev == second.Dev
}
