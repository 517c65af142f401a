//go:build linux

package check

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// groupsGone looks for the container's cgroups after its end.
func groupsGone(ctx context.Context, s *Subject) error {
	return leavesNoGroups(ctx, s, "cgroup-left",
		"A cgroup outlives its processes: rmdir(2) removes it, once they are gone.",
		func(h *Held) error {
			_, err := h.Stop(ctx)
			return err
		})
}

// groupsGoneAfterTerm ends the container from outside.
func groupsGoneAfterTerm(ctx context.Context, s *Subject) error {
	return leavesNoGroups(ctx, s, "cgroup-left-after-term",
		"The cgroup is removed when the command ends, and not when the program is asked to "+
			"end: catch TERM and undo then as well.",
		func(h *Held) error {
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
	return leavesNoGroups(ctx, s, "stale-cgroup-left",
		"A program that is killed removes nothing, so the next run has to remove the cgroups "+
			"of those that are no more.",
		func(h *Held) error {
			if err := h.Signal(unix.SIGKILL); err != nil {
				return err
			}
			<-h.ended
			r, err := s.Run(ctx, "", allLimits(), s.Probe(false), "exit", "0")
			if err != nil {
				return err
			}
			return called("stale-cgroup-in-the-way",
				wantStatus(r, 0, "What a killed run has left is in the way of the next one."))
		})
}

// leavesNoGroups starts a container, ends it and looks for its cgroups.
func leavesNoGroups(
	ctx context.Context, s *Subject, mistake, diagnosis string, end func(*Held) error,
) error {
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
	for _, controller := range limitControllers() {
		dir := found[controller].dir
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		return &Failure{
			Command: h.Command, Expected: dir + " is gone when the program has ended",
			Kernel:  "the directory is there; in it: " + members(dir),
			Mistake: mistake, Diagnosis: diagnosis,
			Look: fmt.Sprintf("find %s -mindepth 1 -type d", found[controller].mount),
		}
	}
	return nil
}

// members says how many processes a cgroup has.
func members(dir string) string {
	g := group{dir: dir}
	text, err := g.text("cgroup.procs")
	switch {
	case err != nil:
		return err.Error()
	case text == "":
		return "no process"
	}
	return "the processes " + text
}
