//go:build linux

package check

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"lab/internal/inspect"
	"lab/internal/need"
)

// cgroupChecks are those of 05-cgroups.
func cgroupChecks() []Check {
	apart := limited(allLimits, ownCgroups)
	return []Check{
		{"each limit puts the container into a cgroup of its own", apart},
		{"the container has a cgroup namespace of its own", limited(allLimits, ownNamespaceToo)},
		{"the command is a member before its first instruction", memberAtOnce},
		{"the limits are those that were asked for", follows(limitsWritten, apart)},
		{
			"swap is no way around the memory limit",
			follows(limited(allLimits, swapLimited), apart, limitsWritten),
		},
		{
			"a process killed for lack of memory is counted in the container's cgroup",
			follows(outOfMemory, apart, limitsWritten),
		},
		{
			"a command killed for lack of memory gives 137",
			follows(commandOutOfMemory, apart, limitsWritten),
		},
		{
			"lack of memory is told if the kernel has counted a kill, and only then",
			follows(toldAsCounted, apart, limitsWritten),
		},
		{"a fork bomb is stopped", follows(forkBombStopped, apart, limitsWritten)},
		{"a busy loop is throttled", follows(loopThrottled, apart, limitsWritten)},
		{"the cgroups are gone when the command has ended", follows(groupsGone, apart)},
		{"the cgroups are gone after TERM", follows(groupsGoneAfterTerm, apart)},
		{"what a killed run leaves is removed by the next", follows(leftoversRemoved, apart)},
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
			Kernel: fmt.Sprintf("oom_kill %d", kills), Mistake: "memory-not-limited",
			Diagnosis: "A process took 80 MiB where 40 are allowed: the limit is not " +
				"this container's.",
			Look: fmt.Sprintf("cat %s/%s", g.byHand(h), file),
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
			Kernel:  fmt.Sprintf("max %d; pids.current %s", refused, current),
			Mistake: "forks-not-limited",
			Diagnosis: "No fork was refused: the processes were made outside of the " +
				"limited cgroup.",
			Look: fmt.Sprintf("cat %s/pids.events", g.byHand(h)),
		})
	})

// loopThrottled reads how often the cgroup had to wait for its next period. A busy
// machine may leave the loop less than its quota all the time: then it is enough that
// the loop is in the cgroup which has the quota.
var loopThrottled = limitedAfter(
	func(s *Subject) string { return s.Probe(false) + " spin 60 >/dev/null &" },
	func() []string { return []string{"-cpus", "0.1"} },
	func(h *Held, found groups) error {
		g := found["cpu"]
		err := Until(context.Background(), patience(), func() (bool, error) {
			throttled, err := g.counter("cpu.stat", "nr_throttled")
			return throttled > 0, err
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		if h.spinsIn(g) {
			return nil
		}
		return &Failure{
			Command: h.Command, Expected: "nr_throttled in " + g.dir + "/cpu.stat is above 0",
			Kernel: "nr_throttled 0", Mistake: "loop-not-limited",
			Diagnosis: "The loop ran outside of the limited cgroup: what was started " +
				"before joining is not limited.",
			Look: fmt.Sprintf("cat %s/cpu.stat", g.byHand(h)),
		}
	})

// spinsIn reports whether the loop of a container is a member of a cgroup.
func (h *Held) spinsIn(g group) bool {
	below, err := inspect.Descendants(h.Program)
	return err == nil && slices.ContainsFunc(below, func(pid int) bool {
		args, err := inspect.Cmdline(pid)
		if err != nil || len(args) < 2 || args[1] != "spin" {
			return false
		}
		found, err := groupsOf(pid)
		return err == nil && found[g.controller].dir == g.dir
	})
}
