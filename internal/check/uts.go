//go:build linux

package check

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

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
	case theirs == ours:
		f.Mistake = "no-" + strings.ReplaceAll(strings.ToLower(flag), "_", "-")
		f.Diagnosis = fmt.Sprintf("The child was cloned without %s.", flag)
		return f
	case programs != ours && h.Program != h.PID:
		f.Expected = "the program itself stays on the host"
		f.Kernel = fmt.Sprintf("/proc/%d/ns/%s is %s:[%d]", h.Program, kind, kind, programs)
		f.Diagnosis = "The program moved itself, not a child: " +
			"it can undo nothing on the host any more."
		return f
	}
	return nil
}

// hostnameInside reads the name in the agent's namespace.
func hostnameInside(ctx context.Context, s *Subject) error {
	name := s.Word("host")
	h, err := s.Hold(ctx, false, "-hostname", name)
	if err != nil {
		return err
	}
	var judged error
	if inside, err := inspect.Hostname(h.PID); err != nil {
		judged = err
	} else if inside != name {
		judged = &Failure{
			Command: h.Command, Expected: "host name " + name,
			Kernel:    fmt.Sprintf("uname(2) in the namespace of %d says %s", h.PID, inside),
			Diagnosis: "The name was not set inside: sethostname(2) has to run in the child.",
			Look:      fmt.Sprintf("nsenter --target %s --uts hostname", h.pid()),
		}
	}
	_, err = h.Stop(ctx)
	return errors.Join(judged, err)
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
	return &Failure{
		Command: h.Command, Expected: "the host is called " + before,
		Kernel: fmt.Sprintf("it was called %s while the container ran and %s after",
			during, after),
		Diagnosis: "sethostname(2) ran in the parent, or before the new namespace was there.",
		Look:      "hostname",
	}
}
