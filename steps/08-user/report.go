package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// counts is what the kernel has counted in the container's cgroups.
type counts struct {
	oomKills           int64 // processes of this cgroup alone
	peak               int64 // bytes
	refused            int64 // forks
	periods, throttled int64 // of 100 ms each
	waited             int64 // microseconds
}

// read reads one number, on the host: the one after a key or, with no key, the
// only one. A kernel that does not count this has no such file or key.
//
//	low 0
//	high 0
//	max 216
//	oom 1
//	oom_kill 1
func (n *counts) read(dir, file, key string, number *int64) {
	text, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		say(err, "")
	}
	for line := range strings.Lines(string(text)) {
		words := append([]string{""}, strings.Fields(line)...)
		if words[len(words)-2] == key {
			*number, _ = strconv.ParseInt(words[len(words)-1], 10, 64)
		}
	}
}

// report tells on standard error what the limits did, by the kernel's own
// counters, and passes on how the command ended. It runs on the host.
func (c *container) report(status int, err error) (int, error) {
	var n counts
	for _, group := range c.Limits.groups {
		group.count(&n)
	}
	// 137 is said of whoever was killed. Why, only the counter knows.
	switch {
	case n.oomKills > 0 && status == 137:
		tell("killed by the OOM killer: %s", n.memory(&c.Limits))
	case n.oomKills == 1:
		tell("1 process was killed by the OOM killer; the command went on: %s",
			n.memory(&c.Limits))
	case n.oomKills > 1:
		tell("%d processes were killed by the OOM killer; the command "+
			"went on: %s", n.oomKills, n.memory(&c.Limits))
	}
	if n.refused > 0 {
		tell("the limit of %d processes was reached: forks refused %d",
			c.Limits.PIDs, n.refused)
	}
	if n.throttled > 0 {
		waited := time.Duration(n.waited) * time.Microsecond
		tell("throttled in %d of %d periods, for %v", n.throttled, n.periods,
			waited.Round(time.Millisecond))
	}
	return status, err
}

// memory names the limit, the most that was used, and the counter.
func (n *counts) memory(l *limits) string {
	peak := mib(n.peak)
	if n.peak == 0 {
		peak = "unknown (memory.peak needs Linux 5.19)"
	}
	return fmt.Sprintf("limit %s, peak %s, oom_kill %d",
		mib(l.Memory), peak, n.oomKills)
}

// tell prints one line.
func tell(format string, args ...any) {
	fmt.Fprintf(os.Stderr, program+": "+format+"\n", args...)
}

// unlessNoSwap forgives a kernel that does not count swap, on the host, but
// says so where there is some. /proc/swaps has a title and a line for each:
//
//	Filename      Type        Size     Used  Priority
//	/dev/vda2     partition   1048572  0     -2
func unlessNoSwap(err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	swaps, err := os.ReadFile("/proc/swaps")
	if strings.Count(string(swaps), "\n") > 1 {
		tell("swap is not limited: this kernel does not count it " +
			"(boot it with swapaccount=1)")
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
