//go:build linux

package check

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"lab/internal/inspect"
	"lab/internal/need"
)

// cgroupChecks are those of 05-cgroups.
func cgroupChecks() []Check {
	return []Check{
		{"each limit puts the container into a cgroup of its own", limited(allLimits, ownCgroups)},
		{"the command is a member before its first instruction", memberAtOnce},
		{"the container has a cgroup namespace of its own", limited(allLimits, ownNamespaceToo)},
		{"the limits are those that were asked for", limitsWritten},
		{"swap is no way around the memory limit", limited(allLimits, swapLimited)},
		{"a process killed for lack of memory is counted in the container's cgroup", outOfMemory},
		{"a command killed for lack of memory gives 137", commandOutOfMemory},
		{"lack of memory is told if the kernel has counted a kill, and only then", toldAsCounted},
		{"a fork bomb is stopped", forkBombStopped},
		{"a busy loop is throttled", loopThrottled},
		{"the cgroups are gone when the command has ended", groupsGone},
		{"the cgroups are gone after TERM", groupsGoneAfterTerm},
		{"what a killed run leaves is removed by the next", leftoversRemoved},
	}
}

// allLimits are moderate limits of every kind.
func allLimits() []string { return []string{"-memory", "40M", "-cpus", "0.9", "-pids", "60"} }

// needLimits skips where no cgroup can be made.
func needLimits() error {
	for _, controller := range []string{"memory", "cpu", "pids"} {
		if err := need.TryCgroup(controller); err != nil {
			return Skip(fmt.Sprintf("need cgroup: %v: run as root, or in a delegated cgroup "+
				"(`systemd-run --user --scope -p Delegate=yes …`)", err))
		}
	}
	return nil
}

// limited makes a check of a question about a waiting container with limits.
func limited(
	flags func() []string, judge func(*Held, groups) error,
) func(context.Context, *Subject) error {
	return limitedAfter(func(*Subject) string { return "" }, flags, judge)
}

// limitedAfter is limited with a line of shell that the container runs first.
func limitedAfter(
	prelude func(*Subject) string, flags func() []string, judge func(*Held, groups) error,
) func(context.Context, *Subject) error {
	return func(ctx context.Context, s *Subject) error {
		if err := needLimits(); err != nil {
			return err
		}
		h, err := s.HoldAfter(ctx, false, prelude(s), flags()...)
		if err != nil {
			return err
		}
		found, judged := groupsOf(h.PID)
		if judged == nil {
			judged = judge(h, found)
		}
		_, err = h.Stop(ctx)
		return errors.Join(judged, err)
	}
}

// ownNamespaceToo compares the cgroup namespace.
func ownNamespaceToo(h *Held, _ groups) error {
	return compareNamespace(h, "cgroup", "CLONE_NEWCGROUP")
}

// ownCgroups asks the host whose cgroup the agent is in, and who else is.
func ownCgroups(h *Held, found groups) error {
	host, err := groupsOf(os.Getpid())
	if err != nil {
		return err
	}
	program, err := groupsOf(h.Program)
	if err != nil {
		return err
	}
	for _, controller := range []string{"memory", "cpu", "pids"} {
		f := &Failure{
			Command:  h.Command,
			Expected: "a cgroup of the container's own for " + controller,
			Kernel:   fmt.Sprintf("/proc/%d/cgroup names %s", h.PID, found[controller].dir),
			Look:     fmt.Sprintf("cat /proc/%s/cgroup", h.pid()),
		}
		switch dir := found[controller].dir; {
		case dir == host[controller].dir:
			f.Diagnosis = "It is the caller's: the limit holds for nobody, or for everybody."
			return f
		case dir == program[controller].dir && h.Program != h.PID:
			f.Diagnosis = "The program itself is in it, too: it shares the limit, " +
				"and cannot remove the cgroup."
			return f
		}
		if err := lists(h, found[controller]); err != nil {
			return err
		}
	}
	return nil
}

// lists looks for the agent in its cgroup's list of processes.
func lists(h *Held, g group) error {
	procs, err := g.text("cgroup.procs")
	if err != nil {
		return err
	}
	if slices.Contains(strings.Fields(procs), strconv.Itoa(h.PID)) {
		return nil
	}
	return &Failure{
		Command: h.Command, Expected: fmt.Sprintf("%s/cgroup.procs lists %d", g.dir, h.PID),
		Kernel: fmt.Sprintf("it lists %q", procs),
		Diagnosis: "The command was left out: on version 1 a 0 written to tasks moves " +
			"the writing thread alone.",
		Look: "cat " + g.dir + "/cgroup.procs",
	}
}

// memberAtOnce lets the command's first act be a look at its own cgroup. In a
// cgroup namespace made after joining that is the root, and stays it. One who
// is moved later sees another path, at the first look or at the second.
func memberAtOnce(ctx context.Context, s *Subject) error {
	if err := needLimits(); err != nil {
		return err
	}
	look := []string{filepath.Join(s.Root, "bin", "cat"), "/proc/self/cgroup"}
	first, err := s.Run(ctx, "", allLimits(), look...)
	if err != nil {
		return err
	}
	h, err := s.Hold(ctx, false, allLimits()...)
	if err != nil {
		return err
	}
	var later string
	judged := inspect.In(h.PID, []string{"cgroup"}, func() error {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", h.PID))
		later = string(text)
		return err
	})
	found, errFound := groupsOf(h.PID)
	for controller, g := range found {
		for i, text := range []string{first.Stdout, later} {
			if !slices.Contains([]string{"memory", "cpu", "pids"}, controller) ||
				pathIn(text, g.version, controller) == "/" || judged != nil {
				continue
			}
			judged = &Failure{
				Command: first.Command,
				Expected: "the cgroup of controller " + controller +
					" is /, at the command's first look and at each later one",
				Kernel: fmt.Sprintf("look %d shows %q", i+1, pathIn(text, g.version, controller)),
				Diagnosis: "The command ran before it was in the cgroup, or the cgroup namespace " +
					"was made before joining. The child has to join, then unshare " +
					"CLONE_NEWCGROUP, then start the command.",
				Look: "cat /proc/self/cgroup",
			}
		}
	}
	_, err = h.Stop(ctx)
	return errors.Join(judged, errFound, err)
}

// limitsWritten asks for random limits and reads the kernel's files.
func limitsWritten(ctx context.Context, s *Subject) error {
	memory, pids, cpus := 24+s.Rand.IntN(40), 40+s.Rand.IntN(60), 20+s.Rand.IntN(150)
	flags := func() []string {
		return []string{
			"-memory", fmt.Sprintf("%dM", memory), "-pids", strconv.Itoa(pids),
			"-cpus", fmt.Sprintf("%d.%02d", cpus/100, cpus%100),
		}
	}
	return limited(flags, func(h *Held, found groups) error {
		m, p, c := found["memory"], found["pids"], found["cpu"]
		percent, err := c.percent()
		if err != nil {
			return err
		}
		return errors.Join(
			m.holds(h, m.file("memory.limit_in_bytes", "memory.max"), strconv.Itoa(memory<<20)),
			p.holds(h, "pids.max", strconv.Itoa(pids)),
			wantPercent(h, c, percent, float64(cpus)),
		)
	})(ctx, s)
}

// swapLimited reads the limit that counts swap: on version 1 memory and swap
// together, on version 2 swap alone.
func swapLimited(h *Held, found groups) error {
	g := found["memory"]
	file, want := "memory.swap.max", "0"
	if g.version == 1 {
		file, want = "memory.memsw.limit_in_bytes", strconv.Itoa(40<<20)
	}
	text, err := g.text(file)
	if err != nil {
		return err
	}
	if text == "" {
		return Skip("need swap accounting: this kernel has no " + file +
			": boot it with swapaccount=1")
	}
	return g.holds(h, file, want)
}

// outOfMemory has a process killed whose container goes on, and reads the
// counter of its cgroup.
var outOfMemory = limitedAfter(
	func(s *Subject) string { return filepath.Join(s.Root, "bin", "hog") + " 80M >/dev/null 2>&1" },
	allLimits,
	func(h *Held, found groups) error {
		g := found["memory"]
		file := g.file("memory.oom_control", "memory.events")
		kills, err := g.counter(file, "oom_kill")
		if err != nil || kills == 1 {
			return err
		}
		return &Failure{
			Command: h.Command, Expected: "oom_kill 1 in " + filepath.Join(g.dir, file),
			Kernel: fmt.Sprintf("oom_kill %d", kills),
			Diagnosis: "A process took 80 MiB where 40 are allowed: the limit is not " +
				"this container's.",
			Look: "cat " + filepath.Join(g.dir, file),
		}
	})

// forkBombStopped reads what the kernel has refused, and the most there were.
var forkBombStopped = limitedAfter(
	func(s *Subject) string { return s.Probe(false) + " forkbomb --seconds 20 >/dev/null 2>&1" },
	allLimits,
	func(h *Held, found groups) error {
		g := found["pids"]
		refused, err := g.counter("pids.events", "max")
		if err != nil || refused > 0 {
			return err
		}
		current, err := g.text("pids.current")
		return errors.Join(err, &Failure{
			Command: h.Command, Expected: "max in " + g.dir + "/pids.events is above 0",
			Kernel: fmt.Sprintf("max %d; pids.current %s", refused, current),
			Diagnosis: "No fork was refused: the processes were made outside of the " +
				"limited cgroup.",
			Look: "cat " + g.dir + "/pids.events",
		})
	})

// loopThrottled reads how often the cgroup had to wait for its next period.
var loopThrottled = limitedAfter(
	func(s *Subject) string { return s.Probe(false) + " spin 0.7 >/dev/null" },
	func() []string { return []string{"-cpus", "0.1"} },
	func(h *Held, found groups) error {
		g := found["cpu"]
		throttled, err := g.counter("cpu.stat", "nr_throttled")
		if err != nil || throttled > 0 {
			return err
		}
		return &Failure{
			Command: h.Command, Expected: "nr_throttled in " + g.dir + "/cpu.stat is above 0",
			Kernel: "nr_throttled 0",
			Diagnosis: "The loop ran outside of the limited cgroup, or a share " +
				"(cpu.weight) was set, not a quota.",
			Look: "cat " + g.dir + "/cpu.stat",
		}
	})

// groupsGone looks for the container's cgroups after its end.
func groupsGone(ctx context.Context, s *Subject) error {
	return leavesNoGroups(ctx, s, func(h *Held) error {
		_, err := h.Stop(ctx)
		return err
	})
}

// groupsGoneAfterTerm ends the container from outside.
func groupsGoneAfterTerm(ctx context.Context, s *Subject) error {
	return leavesNoGroups(ctx, s, func(h *Held) error {
		if err := h.Signal(unix.SIGTERM); err != nil {
			return err
		}
		_, err := h.Wait(ctx)
		return err
	})
}

// leftoversRemoved kills the program, which can undo nothing then, and has it
// run once more.
func leftoversRemoved(ctx context.Context, s *Subject) error {
	return leavesNoGroups(ctx, s, func(h *Held) error {
		if err := h.Signal(unix.SIGKILL); err != nil {
			return err
		}
		<-h.ended
		r, err := s.Run(ctx, "", allLimits(), s.Probe(false), "exit", "0")
		if err != nil {
			return err
		}
		return wantStatus(r, 0, "What a killed run left is in the way.")
	})
}

// leavesNoGroups starts a container, ends it and looks for its cgroups.
func leavesNoGroups(ctx context.Context, s *Subject, end func(*Held) error) error {
	if err := needLimits(); err != nil {
		return err
	}
	h, err := s.Hold(ctx, false, allLimits()...)
	if err != nil {
		return err
	}
	found, err := groupsOf(h.PID)
	if err := errors.Join(err, end(h)); err != nil {
		return err
	}
	for _, controller := range []string{"memory", "cpu", "pids"} {
		dir := found[controller].dir
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		return &Failure{
			Command: h.Command, Expected: dir + " is gone when the program has ended",
			Kernel:    "the directory is there",
			Diagnosis: "A cgroup outlives its processes. rmdir(2) removes it, once they are gone.",
			Look:      "ls " + dir,
		}
	}
	return nil
}
