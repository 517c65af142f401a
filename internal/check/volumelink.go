//go:build linux

package check

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"lab/internal/inspect"
)

// linkStaysInside puts symbolic links into the root that lead to a directory
// of the host, and asks for volumes on them. To refuse them is right, and so
// is to follow them below the container's root.
func linkStaysInside(ctx context.Context, s *Subject) error {
	return withShared(s, func(v *shared) error {
		outside, err := os.MkdirTemp("", "lab-outside-")
		if err != nil {
			return err
		}
		up := strings.Repeat("../", strings.Count(s.Root, "/")+3)
		var judged error
		for _, to := range []string{
			outside, outside + "/new", up + outside[1:], "/proc/1/root" + outside,
		} {
			judged = errors.Join(judged, followsLink(ctx, s, v, outside, to))
		}
		return errors.Join(judged, os.RemoveAll(outside))
	})
}

// followsLink tries one symbolic link.
func followsLink(ctx context.Context, s *Subject, v *shared, outside, to string) error {
	name := s.Word("link")
	link := filepath.Join(s.Root, name)
	if err := os.Symlink(to, link); err != nil {
		return err
	}
	defer os.Remove(link)
	f := &Failure{
		Expected: fmt.Sprintf("a volume on %s -> %s is refused "+
			"or mounted below the container's root", name, to),
		Mistake: "link-leads-outside",
		Diagnosis: "The target was looked up from the host's root, " +
			"where the image's links lead anywhere: see RESOLVE_IN_ROOT in openat2(2).",
		Look: "ls -la " + outside,
	}
	h, err := s.Hold(ctx, true, "-rootfs", s.Root, "-v", v.dir+":/"+name)
	refused, isRefused := errors.AsType[*Failure](err)
	switch {
	case isRefused:
		f.Command = refused.Command
	case err != nil:
		return err
	default:
		f.Command = h.Command
		shown, err := mounted(h, v.dir)
		_, errStop := h.Stop(ctx)
		if err := errors.Join(err, errStop); err != nil {
			return err
		}
		if !shown {
			f.Kernel = fmt.Sprintf("no mount in /proc/%d/mountinfo shows the volume: "+
				"it went elsewhere", h.PID)
			return f
		}
	}
	made, err := names(outside)
	if err == nil && len(made) > 0 {
		f.Kernel = fmt.Sprintf("%s of the host has %s now", outside, strings.Join(made, " "))
		return f
	}
	return err
}

// mounted reports whether some mount of the container shows a directory.
func mounted(h *Held, dir string) (bool, error) {
	mounts, err := inspect.Mounts(h.PID)
	if err != nil {
		return false, err
	}
	for _, m := range mounts {
		if same, err := isSame(dir, h.inside(m.Mountpoint)); err == nil && same {
			return true, nil
		}
	}
	return false, nil
}
