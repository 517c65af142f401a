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

// hundredLayers stacks layers whose names together exceed a page of options.
func hundredLayers(ctx context.Context, s *Subject) error {
	return withImage(s, func(m *image) error {
		var lower, names []string
		for i := range 100 {
			name := s.Word(fmt.Sprintf("layer-%02d-with-a-name-of-some-length", i))
			if err := os.MkdirAll(m.path(name+"/"+name), 0o755); err != nil {
				return err
			}
			lower, names = append(lower, m.path(name)), append(names, name)
		}
		flags := []string{
			"-lower", strings.Join(append(lower, m.root), ":"),
			"-upper", m.path("upper"),
		}
		const diagnosis = "Layers were left out: all options of a mount have to fit " +
			"into one page. Give the layers short names, such as relative ones."
		h, err := s.Hold(ctx, true, flags...)
		if f, ok := errors.AsType[*Failure](err); ok && f.Mistake == "gave-up" {
			f.Mistake, f.Diagnosis = "options-exceed-a-page", diagnosis
		}
		if err != nil {
			return err
		}
		var judged error
		for _, name := range names {
			if _, err := os.Stat(h.inside("/" + name)); err != nil && judged == nil {
				judged = &Failure{
					Command: h.Command, Expected: "the root shows the files of all layers",
					Kernel: err.Error(), Mistake: "options-exceed-a-page", Diagnosis: diagnosis,
				}
			}
		}
		_, err = h.Stop(ctx)
		return errors.Join(judged, err)
	})
}

// nothingBesideUpper looks at the host while a container runs and after.
func nothingBesideUpper(ctx context.Context, s *Subject) error {
	return withImage(s, func(m *image) error {
		before, err := names(m.dir)
		if err != nil {
			return err
		}
		err = hostTableStays(ctx, s, m.flags("upper"), func(s *Subject, h *Held) error {
			return errors.Join(overlayHidden(h), oldRootGone(s, h))
		})
		after, errAfter := names(m.dir)
		if err := errors.Join(err, errAfter); err != nil {
			return err
		}
		if slices.Equal(before, after) {
			return nil
		}
		return &Failure{
			Command: shellLine(slices.Concat(
				[]string{s.Program, "run"}, m.flags("upper"), []string{"true"})),
			Expected: "beside upper is what was there before: " + strings.Join(before, " "),
			Kernel:   strings.Join(after, " "),
			Mistake:  "work-left",
			Diagnosis: "The overlay's working directory is of no use after the container: " +
				"it has to be removed when the mount is gone.",
			Look: "ls -la " + m.dir,
		}
	})
}
