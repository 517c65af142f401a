package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLayers is what the kernel stacks at most, without our init layer.
const maxLayers = 500 - 1

// layers is a root file system made of directories.
type layers struct {
	Lower []string // never written to, the topmost first
	Upper string   // takes all changes; without it the root is read-only
}

// flags adds the flags of this file's topic.
func (l *layers) flags(f *flag.FlagSet) {
	f.Func("lower", "root of layers `TOP:…:BOTTOM`, which stay as they are",
		func(list string) error {
			l.Lower = splitLayers(list)
			if slices.Contains(l.Lower, "") {
				return errors.New("a layer has no name")
			}
			return nil
		})
	f.StringVar(&l.Upper, "upper", "", "`DIR` for changes; read-only if none")
}

// splitLayers splits a list at its colons. As in mount(8), a colon that is
// part of a name is written \:.
func splitLayers(list string) []string {
	names := strings.Split(strings.ReplaceAll(list, `\:`, "\x00"), ":")
	for i := range names {
		names[i] = strings.ReplaceAll(names[i], "\x00", ":")
	}
	return names
}

// checkFlags refuses flags that contradict each other.
func checkFlags(c *container) error {
	if c.Layers.Lower != nil && c.Rootfs != "" {
		return fmt.Errorf("%w: -rootfs and -lower both name a root", errUsage)
	}
	if c.Layers.Lower == nil && c.Layers.Upper != "" {
		return fmt.Errorf("%w: -upper without -lower", errUsage)
	}
	return nil
}

// mountLayers stacks the layers into one root file system and makes it the
// working directory. It runs in the container, so the host's mount table
// never shows the overlay.
func mountLayers(c *container) error {
	l := c.Layers
	if l.Lower == nil {
		return nil
	}
	if err := enterScratch(); err != nil {
		return err
	}
	if err := takeLayers(c); err != nil {
		return err
	}
	if err := makeInitLayer(c); err != nil {
		return fmt.Errorf("init layer: %w", err)
	}
	options, err := l.options()
	if err != nil {
		return err
	}
	if err := os.Mkdir("merged", 0o755); err != nil {
		return err
	}
	// mount -t overlay -o OPTIONS overlay merged
	err = unix.Mount("overlay", "merged", "overlay", 0, options)
	if err != nil {
		return fmt.Errorf("mount overlay of %d layers, upper %q: %w",
			len(l.Lower), l.Upper, because(err))
	}
	c.Rootfs = "."
	return leaveScratch()
}

// options writes the overlay's mount options, in the container:
//
//	lowerdir=init:1:2,upperdir=upper,workdir=work
//
// All options together have to fit into one page of 4096 bytes, so the layers
// get short names relative to the working directory.
func (l *layers) options() (string, error) {
	lower := []string{"init"}
	for i, dir := range l.Lower {
		name := strconv.Itoa(i + 1)
		if err := os.Symlink(dir, name); err != nil {
			return "", err
		}
		lower = append(lower, name)
	}
	options := "lowerdir=" + strings.Join(lower, ":")
	if l.Upper != "" {
		options += ",upperdir=upper,workdir=work"
		err := errors.Join(os.Symlink(l.Upper, "upper"),
			os.Symlink(l.work(), "work"))
		if err != nil {
			return "", err
		}
	}
	if inUserNamespace() {
		options += ",userxattr" // trusted.* attributes need the real root
	}
	return options, nil
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
