//go:build linux

package check

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"lab/internal/inspect"
)

// mountChecks are those of 03-mount.
func mountChecks() []Check {
	return []Check{
		{
			"the container has a mount namespace of its own",
			ownNamespace("mnt", "CLONE_NEWNS", true),
		},
		{"the host's mounts are the same while it runs and after", hostMountsStay},
		{"its root is the given directory", held(rootIsGiven)},
		{"none of its mounts is a peer of a mount of the host", held(noPeers)},
		{"the old root is gone", held(oldRootGone)},
		{"its /proc shows its own processes", held(procIsOwn)},
		{"its /sys is read-only", held(sysReadOnly)},
		{"its /dev has the usual devices", held(devices)},
		{"chroot's way out leads nowhere", escapeFails},
		{"without a root of its own it has private mounts and its own /proc", hostRoot},
	}
}

// held makes a check of a question about a waiting container that has the
// built-in root.
func held(judge func(*Subject, *Held) error) func(context.Context, *Subject) error {
	return func(ctx context.Context, s *Subject) error {
		h, err := s.Hold(ctx, true, "-rootfs", s.Root)
		if err != nil {
			return err
		}
		judged := judge(s, h)
		_, err = h.Stop(ctx)
		return errors.Join(judged, err)
	}
}

// rootIsGiven compares device and inode: names can lie.
func rootIsGiven(s *Subject, h *Held) error {
	if isRoot(h.PID, s.Root) {
		return nil
	}
	var want, got unix.Stat_t
	path := fmt.Sprintf("/proc/%d/root", h.PID)
	if err := errors.Join(unix.Stat(s.Root, &want), unix.Stat(path+"/", &got)); err != nil {
		return err
	}
	f := &Failure{
		Command:  h.Command,
		Expected: fmt.Sprintf("%s is inode %d of device %x", path, want.Ino, want.Dev),
		Kernel:   fmt.Sprintf("it is inode %d of device %x", got.Ino, got.Dev),
		Mistake:  "root-is-another",
		Diagnosis: "The root was changed, and not to the given directory, " +
			"or something lies on top of it.",
		Look: fmt.Sprintf("stat -L %s /proc/%s/root", s.Root, h.pid()),
	}
	if isRoot(h.PID, "/") {
		f.Kernel += ", the host's root"
		f.Mistake, f.Diagnosis = "root-not-changed", "The container sees the host's root: "+
			"nothing changed it to the given directory."
	}
	return f
}

// peers returns the peer groups of some mounts, by mount point. A shared mount
// says so in the optional fields of its line in mountinfo:
//
//	27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
func peers(mounts []*mountinfo.Info) map[string]string {
	groups := map[string]string{}
	for _, m := range mounts {
		for field := range strings.FieldsSeq(m.Optional) {
			if group, shared := strings.CutPrefix(field, "shared:"); shared {
				groups[group] = m.Mountpoint
			}
		}
	}
	return groups
}

// noPeers looks for a peer group that the container and the host share.
func noPeers(_ *Subject, h *Held) error {
	inside, errInside := inspect.Mounts(h.PID)
	outside, errOutside := inspect.Mounts(os.Getpid())
	if err := errors.Join(errInside, errOutside); err != nil {
		return err
	}
	host, own := peers(outside), peers(inside)
	for group, point := range own {
		if _, shared := host[group]; !shared {
			continue
		}
		f := &Failure{
			Command: h.Command, Expected: "no mount is shared with the host",
			Kernel: fmt.Sprintf("%s is in peer group %s, as %s on the host is",
				point, group, host[group]),
			Mistake: "root-left-shared",
			Diagnosis: "The new namespace begins as a copy whose shared mounts stay peers: " +
				"make / private, recursively, first.",
			Look: fmt.Sprintf("grep shared /proc/%s/mountinfo", h.pid()),
		}
		if !slices.Contains(slices.Collect(maps.Values(own)), "/") {
			f.Mistake, f.Diagnosis = "private-not-recursive", "The mount on / is private, those "+
				"below it are still peers of the host's: MS_PRIVATE needs MS_REC beside it."
		}
		return f
	}
	return nil
}

// procIsOwn follows the container's /proc from outside to its PID 1.
func procIsOwn(_ *Subject, h *Held) error {
	var own, shown unix.Stat_t
	path := fmt.Sprintf("/proc/%d/root/proc/1/ns/pid", h.PID)
	if err := unix.Stat(fmt.Sprintf("/proc/%d/ns/pid", h.PID), &own); err != nil {
		return err
	}
	err := unix.Stat(path, &shown)
	if err == nil && own.Ino == shown.Ino {
		return nil
	}
	f := &Failure{
		Command:  h.Command,
		Expected: fmt.Sprintf("process 1 of the container's /proc is in pid:[%d]", own.Ino),
		Kernel:   fmt.Sprintf("%s is pid:[%d]", path, shown.Ino),
		Mistake:  "proc-of-the-host",
		Diagnosis: "The container has the host's /proc: a procfs shows the PID namespace of the " +
			"process that mounted it, so PID 1 has to mount a new one.",
		Look: fmt.Sprintf("ls /proc/%s/root/proc", h.pid()),
	}
	m, errMount := mountAt(h.PID, "/proc")
	switch {
	case errMount != nil:
		return errMount
	case m == nil || m.FSType != "proc":
		f.Kernel = fmt.Sprintf("%s: %v; /proc/%d/mountinfo has no procfs on /proc",
			path, err, h.PID)
		f.Mistake, f.Diagnosis = "proc-not-mounted", "There is no procfs in the new root: it has to "+
			"be mounted on its proc, not on the host's /proc, before or after pivot_root(2)."
	case isRoot(h.PID, "/"):
		f.Mistake, f.Diagnosis = "proc-not-remounted", "The /proc is the one that the copy of the "+
			"host's mounts came with, and shows the host's processes: mount a new one over it."
	}
	return f
}

// mountAt returns the topmost mount of a process at a path.
func mountAt(pid int, point string) (*mountinfo.Info, error) {
	mounts, err := inspect.Mounts(pid)
	if err != nil {
		return nil, err
	}
	for _, m := range slices.Backward(mounts) {
		if m.Mountpoint == point {
			return m, nil
		}
	}
	return nil, nil
}

// escapeFails lets the agent try the classic escape from chroot(2).
func escapeFails(ctx context.Context, s *Subject) error {
	r, err := s.Run(ctx, "", []string{"-rootfs", s.Root}, s.Probe(true), "escape-chroot")
	if err != nil {
		return err
	}
	if r.Status == 0 && strings.HasPrefix(r.Stdout, "contained") {
		return nil
	}
	return &Failure{
		Command: r.Command, Expected: "contained",
		Kernel:  strings.TrimSpace(r.Stdout + r.Stderr),
		Mistake: "chroot-not-pivot",
		Diagnosis: "The root was changed with chroot(2): " +
			"a process that is root inside leaves it by a second chroot.",
		Look: "man 2 pivot_root",
	}
}

// hostRoot runs without -rootfs.
func hostRoot(ctx context.Context, s *Subject) error {
	h, err := s.Hold(ctx, false)
	if err != nil {
		return err
	}
	judged := errors.Join(compareNamespace(h, "mnt", "CLONE_NEWNS"), noPeers(s, h), procIsOwn(s, h))
	_, err = h.Stop(ctx)
	return errors.Join(judged, err)
}

// hostMountsStay runs a container that has nothing but the built-in root.
func hostMountsStay(ctx context.Context, s *Subject) error {
	nothing := func(*Subject, *Held) error { return nil }
	return hostTableStays(ctx, s, []string{"-rootfs", s.Root}, nothing)
}

// hostTableStays compares the host's mount table before, while and after a
// container runs, and lets another judge look at it meanwhile.
func hostTableStays(
	ctx context.Context, s *Subject, flags []string, judge func(*Subject, *Held) error,
) error {
	before, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	h, err := s.Hold(ctx, true, flags...)
	if err != nil {
		return err
	}
	during, errDuring := os.ReadFile("/proc/self/mountinfo")
	judged := judge(s, h)
	_, errStop := h.Stop(ctx)
	after, errAfter := os.ReadFile("/proc/self/mountinfo")
	if err := errors.Join(judged, errDuring, errStop, errAfter); err != nil {
		return err
	}
	added := newMounts(before, append(during, after...))
	if len(added) == 0 && string(before) == string(after) {
		return nil
	}
	f := &Failure{
		Command: h.Command, Expected: "/proc/self/mountinfo of the host as before",
		Kernel: "while it ran or after, the host had also: " + strings.Join(added, ", "),
		Look:   "findmnt",
	}
	if len(added) == 0 {
		f.Kernel = "after, it is:\n" + string(after)
		f.Mistake, f.Diagnosis = "mounts-of-the-host-gone", "The program took mounts of the host "+
			"away: what it unmounts it has to unmount in the child's namespace."
		return f
	}
	return errors.Join(s.whoMounted(ctx, f, flags), f)
}

// whoMounted tells mounts of the program from those of its child: the host's mounts
// are made private, so that nothing propagates, and the program is run again.
func (s *Subject) whoMounted(ctx context.Context, f *Failure, flags []string) error {
	// mount --make-rprivate /
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make the host's mounts private: %w", err)
	}
	before, errBefore := os.ReadFile("/proc/self/mountinfo")
	_, err := s.Run(ctx, "", flags, s.Probe(true), "exit", "0")
	after, errAfter := os.ReadFile("/proc/self/mountinfo")
	if err := errors.Join(err, errBefore, errAfter); err != nil {
		return err
	}
	f.Mistake, f.Diagnosis = "mounted-while-shared", "The child mounted something while its mounts "+
		"were still peers of the host's: make / private, recursively, before the first mount."
	if len(newMounts(before, after)) > 0 {
		f.Mistake, f.Diagnosis = "mounted-on-the-host", "The program mounted something itself, on "+
			"the host: that is for the child to do, in its mount namespace."
	}
	return nil
}

// newMounts returns the mount points of the lines that are in one mountinfo and not
// in another.
//
//	27 1 254:0 / /mnt rw,relatime shared:1 - ext4 /dev/vda rw
func newMounts(before, after []byte) []string {
	var points []string
	known := slices.Collect(strings.Lines(string(before)))
	for line := range strings.Lines(string(after)) {
		words := strings.Fields(line)
		if len(words) > 4 && !slices.Contains(known, line) && !slices.Contains(points, words[4]) {
			points = append(points, words[4])
		}
	}
	return points
}
