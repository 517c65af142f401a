package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// place is where a cgroup can be made for some controllers.
type place struct {
	version     int
	parent      string // the directory to make it in
	controllers []string
}

// findPlaces looks for the hierarchy of each controller, on the host. Which
// one it is nobody knows but the mount table:
//
//	35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
//	41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
func findPlaces(controllers []string) ([]place, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var places []place
	for line := range strings.Lines(string(mounts)) {
		p, err := placeOf(line)
		if err != nil {
			return nil, err
		}
		var wanted []string
		for _, name := range p.controllers {
			if i := slices.Index(controllers, name); i >= 0 {
				controllers = slices.Delete(controllers, i, i+1)
				wanted = append(wanted, name)
			}
		}
		if p.controllers = wanted; len(wanted) > 0 {
			places = append(places, p)
		}
	}
	if len(controllers) > 0 {
		return nil, hinted{fmt.Errorf("controller %s: no cgroup mount in "+
			"/proc/self/mountinfo has it for us", controllers[0]), "lab doctor"}
	}
	return places, nil
}

// placeOf reads one line of the mount table. Of a mount that is no cgroup
// hierarchy, the place has no controllers. It runs on the host.
func placeOf(line string) (place, error) {
	before, after, _ := strings.Cut(line, " - ")
	mount, super := strings.Fields(before), strings.Fields(after)
	if len(mount) < 5 || len(super) < 3 {
		return place{}, nil
	}
	// The kernel writes a space in a name as \040.
	top := strings.NewReplacer(`\040`, " ", `\134`, `\`).Replace(mount[4])
	// A root of /.. lies outside of our cgroup namespace. Version 2 lets no
	// process over that border.
	outside := strings.HasPrefix(mount[3], "/..")
	switch {
	case super[0] == "cgroup":
		return place{1, top, strings.Split(super[2], ",")}, nil
	case super[0] == "cgroup2" && !outside:
		parent, err := parentV2(top, mount[3])
		if err != nil {
			return place{}, err
		}
		names, _ := readWords(filepath.Join(parent, "cgroup.controllers"))
		return place{2, parent, names}, nil
	}
	return place{}, nil
}

// make makes the cgroup, on the host.
func (p place) make(name string) (cgroup, error) {
	if p.version == 1 {
		return makeV1(p, name)
	}
	return makeV2(p, name)
}

// childrenOf lists the cgroups in a cgroup whose names begin with a prefix.
func childrenOf(dir, prefix string) []string {
	entries, _ := os.ReadDir(dir) // none, if it is gone
	var children []string
	for _, entry := range entries {
		if entry.IsDir() && strings.HasPrefix(entry.Name(), prefix) {
			children = append(children, filepath.Join(dir, entry.Name()))
		}
	}
	return children
}

// readWords reads a file of words.
func readWords(path string) ([]string, error) {
	text, err := os.ReadFile(path)
	return strings.Fields(string(text)), err
}

// write writes to one of the kernel's files and says what.
//
//	echo TEXT > DIR/FILE
func write(dir, file, text string) error {
	path := filepath.Join(dir, file)
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(text)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return fmt.Errorf("write %s to %s: %w", text, path, cause(err))
	}
	return nil
}

// hinted is an error with a line of advice.
type hinted struct {
	error
	hint string
}

// Unwrap returns the error without the advice.
func (h hinted) Unwrap() error { return h.error }
