package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// volume is a file or directory of the host that the container sees as well.
type volume struct {
	Source   string // on the host
	Target   string // in the container, absolute
	ReadOnly bool

	tree int // the source, opened as a mount
}

// volumes are mounted in this order, so one may lie inside an earlier one.
type volumes []volume

// flags adds the flags of this file's topic.
func (v *volumes) flags(f *flag.FlagSet) {
	f.Func("v", "`HOST:CTR[:ro]`: show HOST as CTR inside; may be repeated",
		func(text string) error {
			one, err := parseVolume(text)
			*v = append(*v, one)
			return err
		})
}

// parseVolume reads HOST:CTR or HOST:CTR:ro.
func parseVolume(text string) (volume, error) {
	words := strings.Split(text, ":")
	v := volume{ReadOnly: len(words) == 3 && words[2] == "ro"}
	if v.ReadOnly {
		words = words[:2]
	}
	if len(words) != 2 || words[0] == "" {
		return v, errors.New("not HOST:CTR or HOST:CTR:ro")
	}
	v.Source, v.Target = words[0], path.Clean(words[1])
	parts := strings.Split(words[1], "/")
	switch {
	case !path.IsAbs(words[1]):
		return v, errors.New("CTR is not an absolute path")
	case slices.Contains(parts, ".."):
		return v, errors.New("CTR has a .. in it")
	case v.Target == "/":
		return v, errors.New("CTR is the root itself")
	}
	return v, nil
}

// checkVolumes looks for the sources, on the host, where their names count
// from the working directory.
func checkVolumes(c *container) error {
	for i := range c.Volumes {
		v := &c.Volumes[i]
		if _, err := os.Stat(v.Source); err != nil {
			return fmt.Errorf("volume %q: %w", v.Source, cause(err))
		}
		source, err := filepath.Abs(v.Source)
		if err != nil {
			return fmt.Errorf("volume %q: %w", v.Source, err)
		}
		v.Source = source
	}
	return nil
}

// openVolumes takes hold of every source as a mount that has no place yet. It
// runs in the container, with its mounts private and before a root of its own
// is among them: so the host's tree is shown, and the host never shows ours.
func openVolumes(c *container) error {
	for i := range c.Volumes {
		v := &c.Volumes[i]
		// mount --rbind SOURCE TARGET
		tree, err := openVolume(c, i)
		if err != nil {
			return fmt.Errorf("volume %q: open_tree: %w", v.Source, err)
		}
		v.tree = tree
		if v.ReadOnly {
			err = makeReadOnly(tree)
		}
		if err != nil {
			return fmt.Errorf("volume %q: %w", v.Source, err)
		}
	}
	return nil
}

// makeReadOnly makes a mount and all mounts in it read-only, in the container.
// Their other flags stay, nosuid, nodev and noexec above all: in a user
// namespace the kernel refuses whoever would drop them.
func makeReadOnly(tree int) error {
	// mount -o remount,bind,ro TARGET, and so for every mount below it
	readonly := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	err := unix.MountSetattr(tree, "",
		unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, readonly)
	if err != nil {
		return fmt.Errorf("mount_setattr read-only: %w", err)
	}
	return nil
}

// mountVolumes puts every volume in its place under the new root. It runs in
// the container, before pivot_root(2).
func mountVolumes(c *container) error {
	root, err := openRoot(c)
	if err != nil {
		return err
	}
	defer unix.Close(root.fd)
	for _, v := range c.Volumes {
		if err := v.mount(root); err != nil {
			return fmt.Errorf("volume %q on %q: %w", v.Source, v.Target, err)
		}
	}
	return nil
}

// mount puts one volume in its place, in the container.
func (v volume) mount(root root) error {
	defer unix.Close(v.tree)
	target, err := root.target(v.Target, v.tree)
	if err != nil {
		return err
	}
	defer unix.Close(target)
	err = unix.MoveMount(v.tree, "", target, "",
		unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH)
	if err != nil {
		return fmt.Errorf("move_mount: %w", err)
	}
	return nil
}
