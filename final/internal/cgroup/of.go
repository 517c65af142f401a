//go:build linux

package cgroup

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Of finds the cgroups of a process, whoever has made them, to be read and not to be
// changed: of a hierarchy in which it is where we are, nothing is told.
func Of(pid int) (*Cgroup, error) {
	host, err := ReadHost()
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return nil, err
	}
	theirs, err := parseOwn(string(text))
	if err != nil {
		return nil, err
	}
	c := &Cgroup{}
	for _, h := range host.Hierarchies {
		list := strings.Join(h.Controllers, ",")
		if h.Version == 2 {
			list = ""
		}
		path, there := theirs[list]
		if !there || path == h.Own {
			continue
		}
		h.Own = path
		if dir, seen := h.OwnDir(); seen {
			c.Path = path
			c.Places = append(c.Places, Place{
				Version: h.Version, Mount: h.Mount, Root: h.Root, Dir: dir,
				Controllers: h.Controllers,
			})
		}
	}
	if len(c.Places) == 0 {
		return nil, fmt.Errorf("process %d has no cgroup of its own: %w", pid, unix.ENOENT)
	}
	return c, nil
}

// OOMKills counts how often the kernel has killed for want of memory:
//
//	oom_kill_disable 0
//	under_oom 0
//	oom_kill 1
func (c *Cgroup) OOMKills() (uint64, error) {
	p, err := c.place("memory")
	if err != nil {
		return 0, err
	}
	name := "memory.oom_control"
	if p.Version == 2 {
		name = "memory.events"
	}
	file, err := os.Open(filepath.Join(p.Dir, name))
	if err != nil {
		return 0, err
	}
	defer file.Close()
	counters, err := rereadKeyed(file)
	return counters["oom_kill"], err
}
