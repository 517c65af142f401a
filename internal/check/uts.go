//go:build linux

package check

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"lab/internal/inspect"
)

// utsChecks are those of 01-uts.
func utsChecks() []Check {
	return []Check{
		{
			"the container has a UTS namespace of its own",
			ownNamespace("uts", "CLONE_NEWUTS", false),
		},
		{"its host name is the given one", hostnameInside},
		{"the host's name stays", hostnameOutside},
	}
}

// ownNamespace makes the check that a container is in another namespace than
// the host, and that the program itself stayed behind.
func ownNamespace(kind, flag string, inside bool) func(context.Context, *Subject) error {
	return func(ctx context.Context, s *Subject) error {
		var flags []string
		if inside {
			flags = []string{"-rootfs", s.Root}
		}
		h, err := s.Hold(ctx, inside, flags...)
		if err != nil {
			return err
		}
		judged := compareNamespace(h, kind, flag)
		_, err = h.Stop(ctx)
		return errors.Join(judged, err)
	}
}

// compareNamespace holds the agent's namespace against ours.
func compareNamespace(h *Held, kind, flag string) error {
	ours, err := inspect.Namespace(os.Getpid(), kind)
	if err != nil {
		return err
	}
	theirs, err := inspect.Namespace(h.PID, kind)
	if err != nil {
		return err
	}
	programs, err := inspect.Namespace(h.Program, kind)
	if err != nil {
		return err
	}
	f := &Failure{
		Command:  h.Command,
		Expected: fmt.Sprintf("another %s namespace than the host's %s:[%d]", kind, kind, ours),
		Kernel:   fmt.Sprintf("/proc/%d/ns/%s is %s:[%d]", h.PID, kind, kind, theirs),
		Look:     fmt.Sprintf("readlink /proc/self/ns/%s /proc/%s/ns/%s", kind, h.pid(), kind),
	}
	switch {
	case theirs == ours && h.besides(kind, ours):
		f.Mistake, f.Diagnosis = "execs-in-parent", "The program has a child in the new namespace, "+
			"and started the command itself, outside of it: the command is for the child to start."
		return f
	case theirs == ours:
		f.Mistake = "no-" + strings.ToLower(strings.ReplaceAll(flag, "_", "-"))
		f.Diagnosis = fmt.Sprintf("The child was cloned without %s: it is in the host's namespace.",
			flag)
		return f
	case programs != ours && h.Program != h.PID:
		f.Expected = "the program itself stays on the host"
		f.Kernel = fmt.Sprintf("/proc/%d/ns/%s is %s:[%d]", h.Program, kind, kind, programs)
		f.Mistake, f.Diagnosis = "program-moved-itself", "The program moved itself, not a child "+
			"alone: it can undo nothing on the host any more."
		return f
	}
	return nil
}

// besides reports whether the program has a process that is not on the way to the
// command, and that is in another namespace or has ended.
func (h *Held) besides(kind string, ours uint64) bool {
	below, err := inspect.Descendants(h.Program)
	if err != nil {
		return false
	}
	way := map[int]bool{}
	for pid := h.PID; pid > 1 && pid != h.Program; {
		st, err := inspect.ReadStatus(pid)
		if err != nil {
			return false
		}
		way[pid], pid = true, st.PPid
	}
	return slices.ContainsFunc(below, func(pid int) bool {
		theirs, errNamespace := inspect.Namespace(pid, kind)
		st, err := inspect.ReadStatus(pid)
		return !way[pid] && err == nil &&
			(st.State == 'Z' || errNamespace == nil && theirs != ours)
	})
}

// hostnameInside reads the name in the agent's namespace.
func hostnameInside(ctx context.Context, s *Subject) error {
	name := s.Word("host")
	h, err := s.Hold(ctx, false, "-hostname", name)
	if err != nil {
		return err
	}
	inside, judged := inspect.Hostname(h.PID)
	if judged == nil && inside != name {
		f := &Failure{
			Command: h.Command, Expected: "host name " + name,
			Kernel: fmt.Sprintf("uname(2) in the namespace of %d says %q", h.PID, inside),
			Look:   fmt.Sprintf("nsenter --target %s --uts hostname", h.pid()),
		}
		judged = f.hostnameMistake(h.PID, name, inside)
	}
	_, err = h.Stop(ctx)
	return errors.Join(judged, err)
}

// hostnameMistake looks where the name has gone instead.
func (f *Failure) hostnameMistake(pid int, name, inside string) error {
	outside, err := os.Hostname()
	if err != nil {
		return err
	}
	var uts unix.Utsname
	err = inspect.In(pid, []string{"uts"}, func() error { return unix.Uname(&uts) })
	if err != nil {
		return err
	}
	switch domain := unix.ByteSliceToString(uts.Domainname[:]); {
	case outside == name:
		f.Kernel += ", and the host is called " + outside
		f.Mistake, f.Diagnosis = "sethostname-in-parent", "The program renamed the host, not the "+
			"container: sethostname(2) has to run in the child."
	case domain == name:
		f.Kernel += ", and its NIS domain name is " + domain
		f.Mistake, f.Diagnosis = "domainname-set", "setdomainname(2) sets another name, which hardly "+
			"anybody uses: the host name needs sethostname(2)."
	case strings.Contains(inside, name):
		f.Mistake, f.Diagnosis = "hostname-with-more", "The name has bytes that were not given: "+
			"sethostname(2) takes it as it is, line ends, quotes and zeros too."
	case strings.HasPrefix(name, inside):
		f.Mistake, f.Diagnosis = "hostname-cut", "The name was cut: sethostname(2) takes its length, "+
			"up to 64 bytes, and that was too small."
	case inside == outside:
		f.Mistake, f.Diagnosis = "hostname-not-set", "The new namespace begins with the host's name, "+
			"and it still has it: the child has to call sethostname(2)."
	default:
		f.Mistake, f.Diagnosis = "hostname-flag-ignored", "A name was set, and not the one that "+
			"-hostname gives."
	}
	return f
}

// hostnameOutside compares the host's name before, while and after.
func hostnameOutside(ctx context.Context, s *Subject) error {
	before, err := os.Hostname()
	if err != nil {
		return err
	}
	h, err := s.Hold(ctx, false, "-hostname", s.Word("host"))
	if err != nil {
		return err
	}
	during, errDuring := os.Hostname()
	_, errStop := h.Stop(ctx)
	after, errAfter := os.Hostname()
	if err := errors.Join(errDuring, errStop, errAfter); err != nil {
		return err
	}
	if during == before && after == before {
		return nil
	}
	f := &Failure{
		Command: h.Command, Expected: "the host is called " + before,
		Kernel: fmt.Sprintf("it was called %s while the container ran and %s after",
			during, after),
		Mistake: "hostname-set-outside",
		Diagnosis: "sethostname(2) ran on the host: in the parent, where it may only run in the " +
			"child, when that is in its new namespace.",
		Look: "hostname",
	}
	if after == before {
		f.Mistake, f.Diagnosis = "hostname-set-for-a-while", "The program renamed the host and "+
			"put the old name back: meanwhile every process of the host saw the wrong one."
	}
	return f
}
