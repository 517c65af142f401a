package main

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
)

// v1 is a cgroup of version 1: a directory in the hierarchy of one controller,
// or of a few that share one.
type v1 struct {
	dir         string
	controllers []string
	tasks       *os.File // through which the child joins
}

// makeV1 makes the cgroup, on the host.
//
//	mkdir /sys/fs/cgroup/memory/NAME
func makeV1(p place, name string) (cgroup, error) {
	g := &v1{dir: filepath.Join(p.parent, name), controllers: p.controllers}
	if err := os.Mkdir(g.dir, 0o755); err != nil {
		return nil, err
	}
	var err error
	g.tasks, err = os.OpenFile(filepath.Join(g.dir, "tasks"), os.O_WRONLY, 0)
	return g, err
}

// limit writes the limits, on the host.
func (g *v1) limit(l *limits) error {
	var errs []error
	for _, name := range g.controllers {
		switch name {
		case "memory":
			errs = append(errs, g.limitMemory(strconv.FormatInt(l.Memory, 10)))
		case "cpu":
			// So much time in each period, both in microseconds.
			// echo 100000 > cpu.cfs_period_us; echo 50000 > cpu.cfs_quota_us
			errs = append(errs, write(g.dir, "cpu.cfs_period_us", "100000"),
				write(g.dir, "cpu.cfs_quota_us", l.quota()))
		case "pids":
			// echo 64 > pids.max
			errs = append(errs,
				write(g.dir, "pids.max", strconv.FormatInt(l.PIDs, 10)))
		}
	}
	return errors.Join(errs...)
}

// limitMemory writes the limit of memory and then that of memory and swap
// together, which may at no time be the smaller one. It runs on the host.
//
//	echo 31457280 > memory.limit_in_bytes
func (g *v1) limitMemory(bytes string) error {
	if err := write(g.dir, "memory.limit_in_bytes", bytes); err != nil {
		return err
	}
	err := write(g.dir, "memory.memsw.limit_in_bytes", bytes)
	return unlessNoSwap(err)
}

// admit hands the child the file to join by. It runs on the host. The child
// writes itself: a parent's write to cgroup.procs would take 10 ms, in which
// the kernel waits until no CPU is in the middle of a fork.
func (g *v1) admit(attr *os.ProcAttr) {
	attr.Files = append(attr.Files, g.tasks)
}

// count reads the kernel's counters, on the host.
func (g *v1) count(n *counts) {
	n.read(g.dir, "memory.oom_control", "oom_kill", &n.oomKills)
	n.read(g.dir, "memory.max_usage_in_bytes", "", &n.peak)
	n.read(g.dir, "pids.events", "max", &n.refused)
	n.read(g.dir, "cpu.stat", "nr_periods", &n.periods)
	n.read(g.dir, "cpu.stat", "nr_throttled", &n.throttled)
	n.read(g.dir, "cpu.stat", "throttled_time", &n.waited)
	n.waited /= 1000 // nanoseconds, in version 1
}

// remove removes the cgroup, on the host.
func (g *v1) remove() error {
	_ = g.tasks.Close() // nil, if it could not be opened
	return removeTree(g.dir)
}
