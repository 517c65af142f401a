//go:build linux

package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Missing are the places of controllers that the container has not joined: where it
// would have been made with them, had they been asked for at once. It touches nothing.
func (c *Cgroup) Missing(h Host, needed []string) ([]Place, error) {
	joined := func(name string) bool {
		_, err := c.place(name)
		return err == nil
	}
	missing := slices.DeleteFunc(slices.Clone(needed), joined)
	if len(missing) == 0 {
		return nil, nil
	}
	main, err := c.main()
	if err != nil {
		return nil, err
	}
	if h, err = c.hostOf(h); err != nil {
		return nil, err
	}
	return h.Places(Request{
		Path: c.Path, Relative: main.Dir != filepath.Join(main.Mount, c.Path),
		Needed: missing, Mark: main.Mark,
	})
}

// hostOf is the host as who made the container has seen it: in a hierarchy that was not
// joined, its processes are still where he was.
func (c *Cgroup) hostOf(h Host) (Host, error) {
	pids, err := c.Procs(true)
	if err != nil || len(pids) == 0 {
		return h, errors.Join(err, fmt.Errorf("cgroup %s: no process is in it", c.Path))
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pids[0]))
	if err != nil {
		return h, err
	}
	own, err := parseOwn(string(text))
	h.Hierarchies = slices.Clone(h.Hierarchies)
	for i := range h.Hierarchies {
		hierarchy := &h.Hierarchies[i]
		hierarchy.Own = own[""]
		if hierarchy.Version == 1 {
			_, hierarchy.Own = ownOf(strings.Join(hierarchy.Controllers, ","), own)
		}
	}
	return h, err
}

// Join has a container that runs join these places, with all its processes. In a
// hierarchy of version 2 in which it is already the controllers come to it.
func (c *Cgroup) Join(more []Place) error {
	for _, p := range more {
		same := func(known Place) bool { return known.Mount == p.Mount }
		i := slices.IndexFunc(c.Places, same)
		if i >= 0 {
			known := &c.Places[i]
			known.Controllers = append(known.Controllers, p.Controllers...)
			if err := known.handOn(p.Controllers); err != nil {
				return err
			}
			continue
		}
		if err := p.makePatiently(p.Controllers); err != nil {
			return err
		}
		if err := c.gather(p); err != nil {
			return err
		}
		c.Places = append(c.Places, p)
	}
	return nil
}

// gather moves the container's processes to a new place. What they fork meanwhile is
// found by the next look.
//
//	for pid in $(cat OLD/cgroup.procs); do echo $pid > NEW/cgroup.procs; done
func (c *Cgroup) gather(p Place) error {
	procs := filepath.Join(p.Dir, "cgroup.procs")
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		all, err := c.Procs(true)
		if err != nil {
			return err
		}
		here, err := readPids(procs)
		if err != nil {
			return err
		}
		moved := false
		for _, pid := range all {
			if slices.Contains(here, pid) {
				continue
			}
			err := writeFile(procs, strconv.Itoa(pid))
			if err != nil && !errors.Is(err, unix.ESRCH) {
				return err
			}
			moved = moved || err == nil
		}
		if !moved {
			return nil
		}
	}
	return fmt.Errorf("cgroup %s: its processes fork faster than they are moved", p.Dir)
}
