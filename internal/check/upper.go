//go:build linux

package check

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"lab/internal/inspect"
)

// lowerShared holds two containers on the same lower layers.
func lowerShared(ctx context.Context, s *Subject) error {
	words := map[string]string{"upper": s.Word("first"), "second": s.Word("second")}
	write := func(upper string) string { return "echo " + words[upper] + " > /opt/app/both" }
	return withImage(s, func(m *image) error {
		running := map[string]*Held{}
		var errs []error
		for upper := range words {
			h, err := s.HoldAfter(ctx, true, write(upper), m.flags(upper)...)
			if f, ok := errors.AsType[*Failure](err); ok && len(running) > 0 {
				f.Mistake = "lower-locked"
				f.Diagnosis = "The layers of -lower are kept from a second container: " +
					"nobody writes to them, so any number may use them."
			}
			if err != nil {
				errs = append(errs, err)
				continue
			}
			running[upper] = h
		}
		for upper, h := range running {
			text, err := os.ReadFile(h.inside("/opt/app/both"))
			if err != nil || string(text) != words[upper]+"\n" {
				errs = append(errs, &Failure{
					Command:   h.Command,
					Expected:  fmt.Sprintf("/opt/app/both says %q inside", words[upper]),
					Kernel:    fmt.Sprintf("%q, %v", text, err),
					Mistake:   "changes-shared",
					Diagnosis: "Two containers with one image write to the same place.",
				})
			}
		}
		for _, h := range running {
			_, err := h.Stop(ctx)
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	})
}

// upperAlone asks for a second container with the upper layer of one that runs.
func upperAlone(ctx context.Context, s *Subject) error {
	return holdImage(ctx, s, "upper", "", func(m *image, _ *Held) error {
		second, err := s.Hold(ctx, true, m.flags("upper")...)
		if _, refused := errors.AsType[*Failure](err); refused {
			return nil
		}
		if err != nil {
			return err
		}
		_, err = second.Stop(ctx)
		return errors.Join(err, &Failure{
			Command: second.Command, Expected: "it is refused while another container has " +
				m.path("upper"),
			Kernel:  fmt.Sprintf("process %d runs: two overlays have one upper layer", second.PID),
			Mistake: "upper-shared",
			Diagnosis: "What two overlays do to one upper layer is not defined, and the kernel " +
				"warns in its log at most: lock the directory, see flock(2).",
			Look: "dmesg | grep overlayfs",
		})
	})
}

// overlayHidden looks for the container's root among the mounts of the host. A
// file system has one number, wherever it is mounted.
func overlayHidden(h *Held) error {
	root, err := mountAt(h.PID, "/")
	if err != nil || root == nil {
		return err
	}
	mounts, err := inspect.Mounts(os.Getpid())
	if err != nil {
		return err
	}
	for _, m := range mounts {
		if m.FSType != "overlay" || m.Major != root.Major || m.Minor != root.Minor {
			continue
		}
		return &Failure{
			Command:  h.Command,
			Expected: "the host's mount table has no overlay of the container's",
			Kernel: fmt.Sprintf("/proc/self/mountinfo of the host has %d:%d overlay on %s",
				m.Major, m.Minor, m.Mountpoint),
			Mistake: "overlay-on-the-host",
			Diagnosis: "The overlay was mounted where the host sees it: in the parent, or before " +
				"the container's mounts were made private.",
			Look: "grep overlay /proc/self/mountinfo",
		}
	}
	return nil
}

// whyNoOverlay names the mistake of a program that gave up, if the kernel's log
// does. A line counts that comes each time: others write to the log as well.
func (s *Subject) whyNoOverlay(ctx context.Context, flags []string, err error) error {
	f, ok := errors.AsType[*Failure](err)
	if !ok || f.Mistake != "gave-up" {
		return err
	}
	var often []string
	for round := range 2 {
		lines, err := kernelLog(func() error {
			_, err := s.Run(ctx, "", flags, s.Probe(true), "exit", "0")
			return err
		})
		if err != nil {
			return err
		}
		if round == 0 {
			often = lines
		}
		often = slices.DeleteFunc(often, func(l string) bool { return !slices.Contains(lines, l) })
	}
	for _, line := range often {
		for _, known := range overlayComplaints() {
			if strings.Contains(line, known.text) {
				f.Kernel += "; its log: " + line
				f.Mistake, f.Diagnosis, f.Look = known.mistake, known.diagnosis, "dmesg | tail"
				return f
			}
		}
	}
	return f
}

// complaint is what the kernel writes into its log about a mistake.
type complaint struct{ text, mistake, diagnosis string }

// overlayComplaints are those of the overlay file system, in parts that stay the
// same from version to version.
func overlayComplaints() []complaint {
	unknown := "The layers of lowerdir= stand with colons between them: " +
		"after a comma the next option begins."
	return []complaint{
		{
			"must reside under the same mount", "work-on-other-fs",
			"A finished file is renamed from workdir= to upperdir=, " +
				"so both have to be in one file system, and in one mount of it.",
		},
		{
			"must be separate subtrees", "work-inside-upper",
			"workdir= lies inside upperdir=, or the other way round: " +
				"they have to lie beside each other.",
		},
		{
			"missing 'workdir'", "no-workdir",
			"An overlay with upperdir= needs workdir= as well, an empty directory beside it.",
		},
		{"nknown parameter", "layers-joined-by-comma", unknown},
		{"unrecognized mount option", "layers-joined-by-comma", unknown},
		{
			"failed to resolve", "layer-not-found",
			"The options name a directory that is not there, seen from the process that " +
				"mounts: a relative name counts from its working directory.",
		},
	}
}
