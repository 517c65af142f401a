//go:build linux

package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Own makes a host's user the owner of the container's cgroup of version 2, so that
// the container can make cgroups below it: of the directory and those files that the
// kernel lists for it, never of a limit (config-linux.md, "Cgroup ownership"). On
// version 1 that would not be safe, and is not done.
//
//	chown UID DIR DIR/cgroup.procs DIR/cgroup.subtree_control …
func (c *Cgroup) Own(uid int) error {
	files, err := readWords("/sys/kernel/cgroup/delegate")
	if errors.Is(err, fs.ErrNotExist) {
		files, err = []string{"cgroup.procs", subtreeControl, "cgroup.threads"}, nil
	}
	if err != nil {
		return fmt.Errorf("find what a cgroup's owner is given: %w", err)
	}
	for _, p := range c.Places {
		if p.Version != 2 {
			continue
		}
		if err := os.Chown(p.Dir, uid, -1); err != nil {
			return err
		}
		for _, file := range files {
			err := unix.Fchownat(unix.AT_FDCWD, filepath.Join(p.Dir, file), uid, -1,
				unix.AT_SYMLINK_NOFOLLOW)
			if err != nil && !errors.Is(err, unix.ENOENT) {
				return fmt.Errorf("chown %s: %w", filepath.Join(p.Dir, file), err)
			}
		}
	}
	return nil
}
