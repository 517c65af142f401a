package cgroup

import (
	"fmt"
	"path/filepath"
)

// Starved says which limit the container has met, by the kernel's own counters, for who
// wonders why init has died; without one it says nothing.
//
//	pids.events      max 3
//	memory.events    oom_kill 1     of version 1 in memory.oom_control
func (c *Cgroup) Starved() string {
	if p, err := c.place("pids"); err == nil {
		events, err := readKeyed(filepath.Join(p.Dir, "pids.events"))
		limit, limitErr := readWords(filepath.Join(p.Dir, "pids.max"))
		if err == nil && limitErr == nil && events["max"] > 0 && len(limit) > 0 {
			return fmt.Sprintf("the limit of %s pids was met; init takes up to %d until it "+
				"becomes the command", limit[0], tasksOfInit)
		}
	}
	if p, err := c.place("memory"); err == nil {
		file := map[int]string{1: "memory.oom_control", 2: "memory.events"}[p.Version]
		events, err := readKeyed(filepath.Join(p.Dir, file))
		if err == nil && events["oom_kill"] > 0 {
			return "the limit of memory was met"
		}
	}
	return ""
}

// tasksOfInit is a number of threads with which init, a Go program, always came through.
const tasksOfInit = 8
