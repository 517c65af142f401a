//go:build linux

package cgroup

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Sub is a cgroup that the container has made below its own, for a process that is
// to be born there: "/name" in all hierarchies, or "cpu,memory:/name" in those of the
// controllers and the container's own in the others.
func (c *Cgroup) Sub(path string) (*Cgroup, error) {
	list, below, named := strings.Cut(path, ":")
	if !named {
		list, below = "", path
	}
	var controllers []string
	if named {
		controllers = strings.Split(list, ",")
	}
	for _, name := range controllers {
		if _, err := c.place(name); err != nil {
			return nil, err
		}
	}
	sub := *c
	sub.Places = slices.Clone(c.Places)
	for i := range sub.Places {
		p := &sub.Places[i]
		ours := func(name string) bool { return slices.Contains(p.Controllers, name) }
		if named && !slices.ContainsFunc(controllers, ours) {
			continue
		}
		p.Dir = filepath.Join(p.Dir, filepath.Clean("/"+below))
		if info, err := os.Stat(p.Dir); err != nil || !info.IsDir() {
			return nil, fmt.Errorf("the container has no cgroup %s: %s is not there", below, p.Dir)
		}
	}
	return &sub, nil
}

// Beside is the cgroup in which a process of the container is now, for one that is to
// be born at its side. On version 2 that differs from the container's own when this
// hands controllers on to cgroups below it, and then nobody can join it any more:
// clone3(2) says EBUSY.
func (c *Cgroup) Beside(pid int) (*Cgroup, error) {
	beside := *c
	beside.Places = slices.Clone(c.Places)
	for i := range beside.Places {
		p := &beside.Places[i]
		if p.Version != 2 {
			continue
		}
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
		if err != nil {
			return nil, err
		}
		cgroups, err := parseOwn(string(text))
		if err != nil {
			return nil, err
		}
		h := Hierarchy{Mount: p.Mount, Root: p.Root, Own: cgroups[""]}
		dir, seen := h.OwnDir()
		if !seen || dir != p.Dir && !strings.HasPrefix(dir, p.Dir+"/") {
			return nil, fmt.Errorf("process %d is in cgroup %s, not in the container's %s",
				pid, cgroups[""], c.Path)
		}
		p.Dir = dir
	}
	return &beside, nil
}
