//go:build linux

package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// mountRoot mounts the container's layers as one directory, as they are on disk or as they
// are lent:
//
//	mount -t overlay overlay -o lowerdir=INIT:IMAGE…,upperdir=UPPER,workdir=WORK STATE/ID/rootfs
func (e *Engine) mountRoot(c *Container, l *lending) error {
	root := e.rootfs(c.ID)
	if err := os.MkdirAll(root, 0o700); err != nil {
		return err
	}
	if dir := c.plainRoot(); dir != "" {
		dir, err := l.lend(dir, "root")
		if err != nil {
			return err
		}
		// mount --rbind DIR STATE/ID/rootfs
		if err := unix.Mount(dir, root, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			return fmt.Errorf("bind %s on %s: %w", dir, root, err)
		}
		return nil
	}
	upper, work := e.upperAndWork(c)
	volatile := c.HostConfig.AutoRemove && c.Upper == ""
	if volatile || c.FirstID != 0 {
		// What was mounted volatile before says that it must not be mounted again.
		if err := os.RemoveAll(filepath.Join(work, "work", "incompat")); err != nil {
			return err
		}
	}
	dirs, err := e.layersFor(c, l, upper, work)
	if err != nil {
		return err
	}
	dirs, done, err := shortNames(dirs)
	if err != nil {
		return err
	}
	defer done()
	options := []string{
		"lowerdir=" + strings.Join(dirs[2:], ":"), "upperdir=" + dirs[0], "workdir=" + dirs[1],
	}
	// Nobody will read what one has written that is removed at its end, and one whose files
	// are lent is soon mounted again: unmounting need not wait for the disk.
	if volatile || c.FirstID != 0 && l == nil {
		options = append(options, "volatile")
	}
	if e.ids.all() {
		// Directories and files are copied up whole, whatever is the kernel's habit: diff
		// and commit see what they would otherwise have to look for in other layers.
		options = append(options, "redirect_dir=off", "metacopy=off")
	} else {
		// Others than the machine's root keep whiteouts in attributes of their own. That
		// means the two above as well, and old kernels refuse to be told both.
		options = append(options, "userxattr")
	}
	data := strings.Join(options, ",")
	if err := unix.Mount("overlay", root, "overlay", 0, data); err != nil {
		return fmt.Errorf("mount overlay on %s (%s): %w", root, data, err)
	}
	return nil
}

// layersFor are the directories of an overlay, for whom they are lent to: upper, work, and
// then the lower ones, the uppermost first. Upper and work have to be in one mount.
func (e *Engine) layersFor(c *Container, l *lending, upper, work string) ([]string, error) {
	lower, err := e.lower(c)
	if err != nil {
		return nil, err
	}
	changes, err := l.lend(filepath.Dir(upper), "changes")
	if err != nil {
		return nil, err
	}
	dirs := []string{
		filepath.Join(changes, filepath.Base(upper)), filepath.Join(changes, filepath.Base(work)),
	}
	for i, dir := range lower {
		if dir, err = l.lend(dir, fmt.Sprint("layer", i)); err != nil {
			return nil, err
		}
		dirs = append(dirs, dir)
	}
	return dirs, nil
}
