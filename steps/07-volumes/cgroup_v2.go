package main

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// v2 is a cgroup of version 2: one directory for all controllers.
type v2 struct {
	parent      string
	dir         string
	controllers []string
	open        *os.File // the directory, for clone3(2)
	enabled     []string // what the parent did not hand on before
	inLeaf      bool     // whether this process had to make room
}

// makeV2 makes the cgroup, on the host.
func makeV2(p place, name string) (cgroup, error) {
	g := &v2{
		parent: p.parent, dir: filepath.Join(p.parent, name),
		controllers: p.controllers,
	}
	if err := g.handOn(); err != nil {
		return g, err
	}
	// mkdir /sys/fs/cgroup/NAME
	if err := os.Mkdir(g.dir, 0o755); err != nil {
		return g, err
	}
	var err error
	g.open, err = os.Open(g.dir)
	return g, err
}

// limit writes the limits, on the host.
func (g *v2) limit(l *limits) error {
	var errs []error
	for _, name := range g.controllers {
		switch name {
		case "memory":
			// Swap has a limit of its own: none at all.
			// echo 31457280 > memory.max; echo 0 > memory.swap.max
			errs = append(errs,
				write(g.dir, "memory.max", strconv.FormatInt(l.Memory, 10)),
				unlessNoSwap(write(g.dir, "memory.swap.max", "0")))
		case "cpu":
			// So much time in each period, both in microseconds.
			// echo "50000 100000" > cpu.max
			errs = append(errs, write(g.dir, "cpu.max", l.quota()+" 100000"))
		case "pids":
			// echo 64 > pids.max
			errs = append(errs,
				write(g.dir, "pids.max", strconv.FormatInt(l.PIDs, 10)))
		}
	}
	return errors.Join(errs...)
}

// admit has the child be born in the cgroup: clone3(2) with CLONE_INTO_CGROUP.
// It runs on the host.
func (g *v2) admit(attr *os.ProcAttr) {
	attr.Sys.UseCgroupFD = true
	attr.Sys.CgroupFD = int(g.open.Fd())
}

// count reads the kernel's counters, on the host. The counters of memory.events
// include what was made below the cgroup; those of memory.events.local do not.
func (g *v2) count(n *counts) {
	n.read(g.dir, "memory.events", "oom_kill", &n.oomKills)
	n.read(g.dir, "memory.peak", "", &n.peak)
	n.read(g.dir, "pids.events", "max", &n.refused)
	n.read(g.dir, "cpu.stat", "nr_periods", &n.periods)
	n.read(g.dir, "cpu.stat", "nr_throttled", &n.throttled)
	n.read(g.dir, "cpu.stat", "throttled_usec", &n.waited)
}

// remove removes the cgroup and puts the parent back as it was, on the host.
func (g *v2) remove() error {
	_ = g.open.Close() // nil, if it could not be opened
	if err := removeTree(g.dir); err != nil {
		return err
	}
	if len(childrenOf(g.parent, "lab-")) > 0 {
		return nil // another run needs what the parent hands on
	}
	var errs []error
	if len(g.enabled) > 0 {
		errs = append(errs, write(g.parent, "cgroup.subtree_control",
			"-"+strings.Join(g.enabled, " -")))
	}
	if g.inLeaf {
		errs = append(errs,
			write(g.parent, "cgroup.procs", strconv.Itoa(os.Getpid())),
			removeTree(filepath.Join(g.parent, "leaf")))
	}
	return errors.Join(errs...)
}
