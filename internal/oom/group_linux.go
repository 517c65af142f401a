package oom

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// group is a cgroup with the memory controller.
type group struct {
	version int
	dir     string
}

// names are the files of the memory controller in each version.
var names = map[int]struct{ usage, peak, limit, swapUsage, swapLimit, hits, kills string }{
	1: {
		"memory.usage_in_bytes", "memory.max_usage_in_bytes", "memory.limit_in_bytes",
		"memory.memsw.usage_in_bytes", "memory.memsw.limit_in_bytes",
		"memory.failcnt", "memory.oom_control",
	},
	2: {
		"memory.current", "memory.peak", "memory.max",
		"memory.swap.current", "memory.swap.max", "memory.events", "memory.events",
	},
}

// makeGroup makes a cgroup.
//
//	mkdir /sys/fs/cgroup/memory/NAME
func makeGroup(p *place, name string) (group, error) {
	g := group{version: p.version, dir: filepath.Join(p.dir, name)}
	if err := os.Mkdir(g.dir, 0o755); err != nil {
		return g, fmt.Errorf("%w: %w", ErrNoCgroup, err)
	}
	return g, nil
}

// limit writes the limits of memory and of swap. The limit of version 1 is of
// memory and swap together and may at no time be the smaller one; that of
// version 2 is of swap alone. It returns what holds for swap.
//
//	echo 31457280 > memory.limit_in_bytes
//	echo 31461376 > memory.memsw.limit_in_bytes
//	echo 31457280 > memory.max; echo 0 > memory.swap.max
func (g group) limit(bytes int64, swap bool) (string, error) {
	if err := g.write(names[g.version].limit, bytes); err != nil {
		return "", err
	}
	allowed := int64(0)
	if swap {
		allowed = bytes
	}
	if g.version == 1 {
		// A page more, so that it is the limit of memory that is hit: of the
		// two it is the one whose failures every kernel counts.
		allowed += bytes + int64(os.Getpagesize())
	}
	err := g.write(names[g.version].swapLimit, allowed)
	there := machineSwap()
	switch {
	case errors.Is(err, fs.ErrNotExist) && there:
		return "not limited: this kernel does not count it (boot it with swapaccount=1), " +
			"so the kill comes late", nil
	case errors.Is(err, fs.ErrNotExist):
		return "not counted by this kernel, and the machine has none", nil
	case err != nil:
		return "", err
	case swap && !there:
		return "allowed, but the machine has none", nil
	case swap:
		return "as much again as memory", nil
	}
	return "none (" + names[g.version].swapLimit + ")", nil
}

// machineSwap reports whether the machine has swap. /proc/swaps has a title
// and a line for each:
//
//	Filename      Type        Size     Used  Priority
//	/dev/vda2     partition   1048572  0     -2
func machineSwap() bool {
	text, err := os.ReadFile("/proc/swaps")
	return err == nil && strings.Count(string(text), "\n") > 1
}

// write writes a number to one of the cgroup's files.
func (g group) write(file string, number int64) error {
	path := filepath.Join(g.dir, file)
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(strconv.FormatInt(number, 10))
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return fmt.Errorf("write %d to %s: %w", number, path, err)
	}
	return nil
}

// read reads one number: the one after a key or, with no key, the only one. A
// kernel that does not count this has no such file or key, which is 0.
//
//	low 0
//	max 216
//	oom_kill 1
func (g group) read(file, key string) int64 {
	text, err := os.ReadFile(filepath.Join(g.dir, file))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		words := append([]string{""}, strings.Fields(line)...)
		if words[len(words)-2] == key {
			number, _ := strconv.ParseInt(words[len(words)-1], 10, 64) // the kernel's own
			return number
		}
	}
	return 0
}

func (g group) usage() int64 { return g.read(names[g.version].usage, "") }
func (g group) peak() int64  { return g.read(names[g.version].peak, "") }

// hits counts how often the limit was in the way.
func (g group) hits() int64 {
	if g.version == 1 {
		return g.read(names[1].hits, "")
	}
	return g.read(names[2].hits, "max")
}

// kills counts the processes that the OOM killer has killed.
func (g group) kills() int64 { return g.read(names[g.version].kills, "oom_kill") }

// swap is what is swapped out.
func (g group) swap() int64 {
	if g.version == 2 {
		return g.read(names[2].swapUsage, "")
	}
	return max(0, g.read(names[1].swapUsage, "")-g.usage())
}

// attach puts a process into the cgroup, with all its threads. What it was
// charged before stays with the cgroup that it leaves.
//
//	echo PID > cgroup.procs
func (g group) attach(pid int) error { return g.write("cgroup.procs", int64(pid)) }

// remove removes the cgroup. The kernel refuses for a moment after the last
// process's end.
func (g group) remove() error {
	const patience = 10 * time.Second
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		err := unix.Rmdir(g.dir)
		if err == nil || errors.Is(err, unix.ENOENT) {
			return nil
		}
		if !errors.Is(err, unix.EBUSY) || time.Now().After(deadline) {
			return fmt.Errorf("rmdir %s: %w", g.dir, err)
		}
	}
}
