//go:build linux

package check

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"lab/internal/inspect"
)

// limitControllers are those of the flags -memory, -cpus and -pids.
func limitControllers() []string { return []string{"memory", "cpu", "pids"} }

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
	for _, controller := range limitControllers() {
		f := &Failure{
			Command:  h.Command,
			Expected: "a cgroup of the container's own for " + controller,
			Kernel:   fmt.Sprintf("/proc/%d/cgroup names %s", h.PID, found[controller].dir),
			Look:     fmt.Sprintf("cat /proc/%s/cgroup", h.pid()),
		}
		switch dir := found[controller].dir; {
		case dir == host[controller].dir:
			return notMember(h, host[controller], program[controller], f)
		case dir == program[controller].dir && h.Program != h.PID:
			f.Kernel += fmt.Sprintf(", and so does /proc/%d/cgroup of the program", h.Program)
			f.Mistake = "program-in-the-cgroup"
			f.Diagnosis = "The program itself is in the cgroup, too: it shares the limit, " +
				"and cannot remove a cgroup that it is in."
			return f
		}
	}
	return nil
}

// notMember finds out why the agent is in the caller's cgroup still.
func notMember(h *Held, host, program group, f *Failure) error {
	limited, err := program.isLimited()
	threads := oneThread(h, host)
	deserted, errDeserted := host.deserted()
	if err := errors.Join(err, errDeserted); err != nil {
		return err
	}
	switch {
	case program.dir != host.dir && limited:
		f.Kernel += fmt.Sprintf("; /proc/%d/cgroup of the program names %s", h.Program, program.dir)
		f.Mistake = "joined-wrong-pid"
		f.Diagnosis = "The program has put itself into the cgroup: the pid that was written " +
			"is its own, and has to be the child's."
	case threads != "":
		f.Kernel += "; " + threads
		f.Mistake = "one-thread-joined"
		f.Diagnosis = "On version 1 a 0 written to tasks moves the writing thread alone, and the " +
			"command was started by another one: lock the thread that joins and then clones."
	case joinsLate(h, host):
		f.Mistake = "joined-after-start"
		f.Diagnosis = "The container was put into its cgroup when the command ran already: " +
			"a child is born into its parent's cgroup, so join first and start it then."
	case len(deserted) > 0:
		f.Kernel += "; nobody is in " + deserted[0]
		f.Mistake = "never-joined"
		f.Diagnosis = "The cgroup is there and nobody is in it: a process has to be " +
			"written to its cgroup.procs, or be cloned into it."
	default:
		f.Mistake = "no-cgroup-made"
		f.Diagnosis = "No cgroup was made: mkdir(2) in the hierarchy of the controller makes one."
	}
	return f
}

// oneThread names a thread of the container's PID 1 that is in another cgroup than
// its process, if there is one.
func oneThread(h *Held, host group) string {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/cgroup", h.Init))
	if err != nil {
		return "" // it has ended
	}
	process, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", h.Init))
	if err != nil {
		return ""
	}
	own := pathIn(string(process), host.version, host.controller)
	for _, file := range threads {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if path := pathIn(string(text), host.version, host.controller); path != own {
			return fmt.Sprintf("%s names %s, and the process's other threads are in %s",
				file, path, own)
		}
	}
	return ""
}

// joinsLate waits whether the agent or its PID 1 leaves the caller's cgroup yet.
func joinsLate(h *Held, host group) bool {
	return comes(func() bool {
		for _, pid := range []int{h.PID, h.Init} {
			now, err := groupsOf(pid)
			if err == nil && now[host.controller].dir != host.dir {
				return true
			}
		}
		return false
	})
}

// comes waits whether something that should have been done comes late.
func comes(holds func() bool) bool {
	err := Until(context.Background(), 2*time.Second, func() (bool, error) { return holds(), nil })
	return err == nil
}

// memberAtOnce lets the command's first act be a look at its own cgroup. In a
// cgroup namespace made after joining that is the root, and stays it. One who
// is moved later sees another path at the second look, and one whose namespace
// was made before at both.
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
	if err := errors.Join(judged, errFound); err == nil {
		judged = ownCgroups(h, found)
	}
	if judged == nil && errFound == nil {
		judged = atRoot(found, first, later)
	}
	_, err = h.Stop(ctx)
	return errors.Join(judged, errFound, err)
}

// atRoot compares what the command saw with what is seen there later.
func atRoot(found groups, first Result, later string) error {
	for _, controller := range limitControllers() {
		version := found[controller].version
		before := pathIn(first.Stdout, version, controller)
		after := pathIn(later, version, controller)
		if before == "/" && after == "/" {
			continue
		}
		f := &Failure{
			Command: first.Command,
			Expected: "the cgroup of controller " + controller +
				" is /, at the command's first look and at each later one",
			Kernel:  fmt.Sprintf("it is %q at first and %q later", before, after),
			Mistake: "cgroup-ns-before-join",
			Diagnosis: "The cgroup namespace was made before joining, so its root is the " +
				"caller's cgroup. The child has to join, and unshare CLONE_NEWCGROUP then.",
			Look: "cat /proc/self/cgroup # in the container",
		}
		if before == "/" {
			f.Mistake = "joined-after-start"
			f.Diagnosis = "The command ran before it was in the cgroup: whatever it did until " +
				"then was not limited. Join first, then start it."
		}
		return f
	}
	return nil
}
