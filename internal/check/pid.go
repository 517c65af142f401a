//go:build linux

package check

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"lab/internal/inspect"
)

// pidChecks are those of 02-pid.
func pidChecks() []Check {
	return []Check{
		{
			"the container has a PID namespace of its own",
			ownNamespace("pid", "CLONE_NEWPID", false),
		},
		{"its first process is PID 1", firstIsOne},
		{"orphans are reaped", orphansReaped},
		{"TERM ends the container within a second", termEnds},
		{"no process is left when the command has ended", nothingRuns},
		{"no process is left when the program is killed", killedLeavesNothing},
	}
}

// firstIsOne reads the pid of the container's first process in its namespace.
func firstIsOne(ctx context.Context, s *Subject) error {
	h, err := s.Hold(ctx, false)
	if err != nil {
		return err
	}
	var judged error
	if st, err := inspect.ReadStatus(h.Init); err != nil {
		judged = err
	} else if n := len(st.NSpid); n < 2 || st.NSpid[n-1] != 1 {
		judged = &Failure{
			Command: h.Command, Expected: "the first process has pid 1 inside",
			Kernel: fmt.Sprintf("NSpid in /proc/%d/status is %v", h.Init, st.NSpid),
			Diagnosis: "A process stays in its PID namespace; " +
				"only children are born into a new one.",
			Look: fmt.Sprintf("grep NSpid /proc/%s/status", h.pid()),
		}
	}
	_, err = h.Stop(ctx)
	return errors.Join(judged, err)
}

// inNamespace returns the processes of a PID namespace, by state Z or not.
func inNamespace(namespace uint64) (alive, zombies []int, err error) {
	pids, err := inspect.Processes()
	if err != nil {
		return nil, nil, err
	}
	for _, pid := range pids {
		inode, err := inspect.Namespace(pid, "pid")
		if err != nil || inode != namespace {
			continue // gone meanwhile, or somewhere else
		}
		if st, err := inspect.ReadStatus(pid); err == nil && st.State == 'Z' {
			zombies = append(zombies, pid)
		} else if err == nil {
			alive = append(alive, pid)
		}
	}
	return alive, zombies, nil
}

// orphansReaped makes orphans that end, and counts the zombies after.
func orphansReaped(ctx context.Context, s *Subject) error {
	prelude := s.Probe(false) + " orphans 5 >/dev/null"
	h, err := s.HoldAfter(ctx, false, prelude)
	if err != nil {
		return err
	}
	namespace, err := inspect.Namespace(h.PID, "pid")
	if err != nil {
		return err
	}
	var zombies []int
	err = Until(ctx, 2*time.Second, func() (bool, error) {
		var err error
		_, zombies, err = inNamespace(namespace)
		return len(zombies) == 0, err
	})
	var judged error
	if len(zombies) > 0 {
		judged = &Failure{
			Command: h.Command, Expected: "PID 1 waits for the orphans it inherits",
			Kernel: fmt.Sprintf("processes %v are in state Z", zombies),
			Diagnosis: "PID 1 waits for its own command only. " +
				"wait4(2) with pid -1 takes every child.",
			Look: "ps -o pid,ppid,stat,comm",
		}
	} else {
		judged = err
	}
	_, err = h.Stop(ctx)
	return errors.Join(judged, err)
}

// termEnds sends TERM to the program.
func termEnds(ctx context.Context, s *Subject) error {
	h, err := s.Hold(ctx, false)
	if err != nil {
		return err
	}
	if err := h.Signal(unix.SIGTERM); err != nil {
		return err
	}
	select {
	case <-h.ended:
	case <-time.After(10 * time.Second): // one second is for people, a slow machine gets ten
		h.kill()
		return &Failure{
			Command: h.Command, Expected: "kill -TERM ends the container",
			Kernel: fmt.Sprintf("process %d still runs", h.PID),
			Diagnosis: "A signal that PID 1 has no handler for does nothing, TERM too: " +
				"it has to be caught there and passed on.",
		}
	}
	r, err := h.Wait(ctx)
	if err != nil {
		return err
	}
	return wantStatus(r, 128+int(unix.SIGTERM),
		"The command was ended by TERM; its status says so.")
}

// nothingRuns leaves a process in the background.
func nothingRuns(ctx context.Context, s *Subject) error {
	return leavesNothing(ctx, s, func(h *Held) error {
		_, err := h.Stop(ctx)
		return err
	})
}

// killedLeavesNothing ends the program as nobody can prepare for.
func killedLeavesNothing(ctx context.Context, s *Subject) error {
	return leavesNothing(ctx, s, func(h *Held) error {
		if err := h.Signal(unix.SIGKILL); err != nil {
			return err
		}
		<-h.ended
		return nil
	})
}

// leavesNothing starts a container with a process in the background, ends it
// and looks for processes of its PID namespace.
func leavesNothing(ctx context.Context, s *Subject, end func(*Held) error) error {
	sleep := filepath.Join(s.Root, "bin", "sleep")
	h, err := s.HoldAfter(ctx, false, sleep+" 300 </dev/null >/dev/null 2>&1 &")
	if err != nil {
		return err
	}
	defer h.kill()
	namespace, err := inspect.Namespace(h.PID, "pid")
	if err != nil {
		return err
	}
	if err := end(h); err != nil {
		return err
	}
	var alive []int
	err = Until(ctx, 5*time.Second, func() (bool, error) {
		var err error
		alive, _, err = inNamespace(namespace)
		return len(alive) == 0, err
	})
	if len(alive) == 0 {
		return err
	}
	return &Failure{
		Command: h.Command, Expected: "no process of the container is left",
		Kernel: fmt.Sprintf("pid:[%d] still has the processes %v", namespace, alive),
		Diagnosis: "The container outlived its program: " +
			"PID 1 has to end with it (prctl(2), PR_SET_PDEATHSIG).",
	}
}
