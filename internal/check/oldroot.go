//go:build linux

package check

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"lab/internal/inspect"
)

// oldRootGone looks for the host's root among the container's mounts, and for
// another way out.
func oldRootGone(_ *Subject, h *Held) error {
	inside, errInside := inspect.Mounts(h.PID)
	outside, errOutside := inspect.Mounts(os.Getpid())
	if err := errors.Join(errInside, errOutside); err != nil {
		return err
	}
	for _, m := range inside {
		if f := h.ofHost(m, outside); f != nil {
			return f
		}
	}
	// With chroot(2) the list above can be clean, for mountinfo leaves out what
	// cannot be reached from the root; then / is no mount point.
	isTop := func(m *mountinfo.Info) bool { return m.Mountpoint == "/" }
	if !slices.ContainsFunc(inside, isTop) {
		return &Failure{
			Command: h.Command, Expected: "the container's / is a mount",
			Kernel: fmt.Sprintf("/proc/%d/mountinfo has no / : "+
				"the mounts above it are out of sight, not gone", h.PID),
			Mistake: "chroot-not-pivot",
			Diagnosis: "The root was changed with chroot(2), which leaves the old root mounted " +
				"and can be left again.",
			Look: fmt.Sprintf("cat /proc/%s/mountinfo", h.pid()),
		}
	}
	return h.workingDirectory(inside)
}

// ofHost judges one mount of the container: whether its file system is one that the
// host has mounted. Those of the kernel are another check's.
func (h *Held) ofHost(m *mountinfo.Info, outside []*mountinfo.Info) *Failure {
	first, _, _ := strings.Cut(strings.TrimPrefix(m.Mountpoint, "/"), "/")
	if slices.Contains([]string{"proc", "sys", "dev"}, first) {
		return nil
	}
	whole, of := false, ""
	for _, o := range outside {
		if o.Major == m.Major && o.Minor == m.Minor {
			of = o.Mountpoint
			if o.Root == m.Root {
				whole = true
				break
			}
		}
	}
	var st unix.Stat_t
	path := fmt.Sprintf("/proc/%d/root%s", h.PID, m.Mountpoint)
	file := unix.Stat(path, &st) == nil && st.Mode&unix.S_IFMT != unix.S_IFDIR
	if of == "" || file || m.Mountpoint == "/" && !whole {
		return nil // its own, one file as /etc/resolv.conf, or the given root
	}
	f := &Failure{
		Command:  h.Command,
		Expected: "the host's mounts are out of the container's reach",
		Kernel: fmt.Sprintf("/proc/%d/mountinfo has %s, which is the host's %s",
			h.PID, m.Mountpoint, of),
		Mistake: "old-root-left",
		Diagnosis: "The old root is still mounted, in a directory of the new one: " +
			"umount2(2) with MNT_DETACH after pivot_root(2).",
		Look: fmt.Sprintf("cat /proc/%s/mountinfo", h.pid()),
	}
	switch {
	case m.Mountpoint == "/" || isStacked(m, outside):
		f.Mistake, f.Diagnosis = "old-root-on-top", "pivot_root(\".\", \".\") has put the old root "+
			"on top of the new one, where it still is: umount2(\".\", MNT_DETACH) has to follow."
	case !whole:
		f.Mistake, f.Diagnosis = "host-directory-mounted", "A directory of the host is mounted in "+
			"the container, and nobody asked for it."
	}
	return f
}

// isStacked reports whether a mount of the container is where the host has it too:
// then the whole old root lies on the new one.
func isStacked(m *mountinfo.Info, outside []*mountinfo.Info) bool {
	return slices.ContainsFunc(outside, func(o *mountinfo.Info) bool {
		return o.Mountpoint == m.Mountpoint && o.Root == m.Root &&
			o.Major == m.Major && o.Minor == m.Minor
	})
}

// workingDirectory asks whether the command's working directory is on a mount of the
// container. One on the old root is a way out, even if that is unmounted.
//
//	pos:	0
//	flags:	010000000
//	mnt_id:	27
func (h *Held) workingDirectory(inside []*mountinfo.Info) error {
	path := fmt.Sprintf("/proc/%d/cwd", h.PID)
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	defer unix.Close(fd)
	info, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", fd))
	if err != nil {
		return err
	}
	id := -1
	for line := range strings.Lines(string(info)) {
		_, _ = fmt.Sscanf(line, "mnt_id: %d", &id) // the other lines are others
	}
	if slices.ContainsFunc(inside, func(m *mountinfo.Info) bool { return m.ID == id }) {
		return nil
	}
	where, _ := os.Readlink(path) // for a person to read
	return &Failure{
		Command: h.Command, Expected: "the command's working directory is in its root",
		Kernel: fmt.Sprintf("%s is %s, on mount %d, which /proc/%d/mountinfo does not have",
			path, where, id, h.PID),
		Mistake: "cwd-left-outside",
		Diagnosis: "The command begins in a directory of the old root, and from there .. leads " +
			"to all of it: chdir(2) to / has to follow pivot_root(2).",
		Look: fmt.Sprintf("ls /proc/%s/cwd", h.pid()),
	}
}
