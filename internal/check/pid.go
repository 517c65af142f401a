//go:build linux

package check

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
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
			Kernel:  fmt.Sprintf("NSpid in /proc/%d/status is %v", h.Init, st.NSpid),
			Mistake: "not-pid-1",
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
	if f, ok := errors.AsType[*Failure](err); ok {
		// Without orphans it ran: the checks before have seen it.
		f.Mistake, f.Diagnosis = "ends-with-any-child", "PID 1 ended with the first orphan that "+
			"it reaped, and the kernel ended the rest: only its own command's end is its own."
		f.Look = ""
	}
	if err != nil {
		return err
	}
	namespace, err := inspect.Namespace(h.PID, "pid")
	if err != nil {
		return err
	}
	var zombies []int
	err = Until(ctx, soon(), func() (bool, error) {
		var err error
		_, zombies, err = inNamespace(namespace)
		return len(zombies) == 0, err
	})
	var judged error
	if len(zombies) > 0 {
		judged = &Failure{
			Command: h.Command, Expected: "PID 1 waits for the orphans it inherits",
			Kernel:  fmt.Sprintf("processes %v are in state Z", zombies),
			Mistake: "reaps-only-command",
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
	case <-time.After(termLimit()):
		f := h.termLost()
		h.kill()
		return f
	}
	r, err := h.Wait(ctx)
	if err != nil {
		return err
	}
	err = wantStatus(r, 128+int(unix.SIGTERM), "")
	if f, ok := errors.AsType[*Failure](err); ok {
		return s.termMisread(ctx, f, r.Status)
	}
	return err
}

// termLimit is how long TERM may take: one second is for people, a slow machine
// gets more.
func termLimit() time.Duration {
	if os.Getenv("LAB_VM") != "" {
		return 10 * time.Second
	}
	return 3 * time.Second
}

// termLost tells where a TERM that ended nothing got lost on its way.
func (h *Held) termLost() *Failure {
	f := &Failure{
		Command: h.Command, Expected: "kill -TERM ends the container",
		Kernel: fmt.Sprintf("process %d still runs", h.PID),
		Look:   fmt.Sprintf("grep SigCgt /proc/%s/status", h.pid()),
	}
	first, err := inspect.ReadStatus(h.Init)
	started, errStart := inspect.StartTime(h.Init)
	if errors.Join(err, errStart) != nil {
		return f
	}
	if h.Init == h.PID {
		f.Kernel += fmt.Sprintf(", and is PID 1 inside: NSpid is %v", first.NSpid)
		f.Mistake, f.Diagnosis = "command-is-pid-1", "The command itself is PID 1, and the kernel "+
			"ignores a TERM for which PID 1 has no handler: a program of yours has to be PID 1."
		return f
	}
	// Past the program, to PID 1 itself, whose pid is no other's: it is ours to end.
	if now, err := inspect.StartTime(h.Init); err != nil || now != started ||
		unix.Kill(h.Init, unix.SIGTERM) != nil {
		return f
	}
	select {
	case <-h.ended:
		f.Kernel += fmt.Sprintf("; a TERM to PID 1 itself, %d, ended it", h.Init)
		f.Mistake, f.Diagnosis = "no-forward-in-parent", "PID 1 does with TERM what it should, "+
			"but the program on the host got the signal and did not send it on to PID 1."
	case <-time.After(time.Second):
		f.Kernel += fmt.Sprintf("; a TERM to PID 1 itself, %d, did not end it either", h.Init)
		f.Mistake, f.Diagnosis = "no-forward-in-init", "TERM means nothing to PID 1 unless it has "+
			"a handler, and the command hears of it only if PID 1 sends it on."
	}
	return f
}

// termMisread tells why the status after TERM is another one, by a command that
// says when it gets the signal.
func (s *Subject) termMisread(ctx context.Context, f *Failure, got int) error {
	if got == 128+int(unix.SIGKILL) {
		f.Mistake, f.Diagnosis = "term-becomes-kill", "The program kills the container when it "+
			"gets TERM: the command has no chance to end in order. Send on the signal that came."
		return f
	}
	h, err := s.Start(ctx, nil, s.Probe(false), "trap", "TERM")
	if err != nil {
		return err
	}
	defer h.kill()
	says := func(text string) bool {
		return Until(ctx, patience(), func() (bool, error) {
			return strings.Contains(h.Output(), text), nil
		}) == nil
	}
	if !says("ready") {
		return f
	}
	if err := h.Signal(unix.SIGTERM); err != nil {
		return err
	}
	<-h.ended
	if strings.Contains(h.Output(), "TERM") {
		f.Mistake, f.Diagnosis = "exit-status-lost", "TERM ended the command, and how it ended "+
			"was lost on the way: PID 1 has to turn that into its own exit status."
		return f
	}
	f.Kernel += "; the command never got TERM"
	f.Mistake, f.Diagnosis = "init-ends-by-term", "PID 1 ended by the signal itself, and the "+
		"kernel killed the command with it: PID 1 has to catch TERM and send it on."
	return f
}

// nothingRuns leaves a process in the background.
func nothingRuns(ctx context.Context, s *Subject) error {
	return leavesNothing(ctx, s, func(h *Held) error {
		if err := h.stdin.Close(); err != nil {
			return fmt.Errorf("end the agent: %w", err)
		}
		err := Until(ctx, termLimit(), func() (bool, error) {
			select {
			case <-h.ended:
				return true, nil
			default:
				return false, nil
			}
		})
		if err == nil {
			return nil
		}
		return &Failure{
			Command: h.Command, Expected: "the container ends with its command",
			Kernel: fmt.Sprintf("%s after the command's end the program still runs", termLimit()),
			Diagnosis: "PID 1 waits for every process of the container, also for those in the " +
				"background: it has to end with its own command, and the rest ends with it.",
			Mistake: "waits-for-all",
		}
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
	err = Until(ctx, soon(), func() (bool, error) {
		var err error
		alive, _, err = inNamespace(namespace)
		return len(alive) == 0, err
	})
	if len(alive) == 0 {
		return err
	}
	return &Failure{
		Command: h.Command, Expected: "no process of the container is left",
		Kernel:  fmt.Sprintf("pid:[%d] still has the processes %v", namespace, alive),
		Mistake: "init-outlives-program",
		Diagnosis: "The container outlived its program: " +
			"PID 1 has to end with it (prctl(2), PR_SET_PDEATHSIG).",
		Look: "lsns -t pid",
	}
}
