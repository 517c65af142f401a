//go:build linux

package check

import (
	"context"
	"errors"
	"fmt"
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
		{"its root is the given directory", held(rootIsGiven)},
		{"none of its mounts is a peer of a mount of the host", held(noPeers)},
		{"the old root is gone", held(oldRootGone)},
		{"its /proc shows its own processes", held(procIsOwn)},
		{"its /sys is read-only", held(sysReadOnly)},
		{"its /dev has the usual devices", held(devices)},
		{"chroot's way out leads nowhere", escapeFails},
		{"without a root of its own it has private mounts and its own /proc", hostRoot},
		{"the host's mounts are the same while it runs and after", hostMountsStay},
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
	var want, got unix.Stat_t
	path := fmt.Sprintf("/proc/%d/root", h.PID)
	if err := errors.Join(unix.Stat(s.Root, &want), unix.Stat(path+"/", &got)); err != nil {
		return err
	}
	if want.Dev == got.Dev && want.Ino == got.Ino {
		return nil
	}
	return &Failure{
		Command:  h.Command,
		Expected: fmt.Sprintf("%s is inode %d of device %x", path, want.Ino, want.Dev),
		Kernel:   fmt.Sprintf("it is inode %d of device %x", got.Ino, got.Dev),
		Diagnosis: "The root was not changed to the given directory, " +
			"or something lies on top of it.",
		Look: fmt.Sprintf("stat -L %s %s", s.Root, path),
	}
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
	host := peers(outside)
	for group, point := range peers(inside) {
		if _, shared := host[group]; shared {
			return &Failure{
				Command: h.Command, Expected: "no mount is shared with the host",
				Kernel: fmt.Sprintf("%s is in peer group %s, as %s on the host is",
					point, group, host[group]),
				Diagnosis: "The new namespace begins as a copy whose shared mounts stay peers: " +
					"make / private, recursively, first.",
				Look: fmt.Sprintf("grep shared /proc/%s/mountinfo", h.pid()),
			}
		}
	}
	return nil
}

// oldRootGone looks for the host's root among the container's mounts.
func oldRootGone(_ *Subject, h *Held) error {
	inside, err := inspect.Mounts(h.PID)
	if err != nil {
		return err
	}
	for _, m := range inside {
		if slices.Contains([]string{"/", "/proc", "/sys", "/dev"}, m.Mountpoint) ||
			strings.HasPrefix(m.Mountpoint, "/dev/") || strings.HasPrefix(m.Mountpoint, "/sys/") ||
			strings.HasPrefix(m.Mountpoint, "/etc/") && m.FSType == "tmpfs" { // resolv.conf …
			continue
		}
		return &Failure{
			Command:  h.Command,
			Expected: "the container's mounts are /, /proc, /sys and those below /dev",
			Kernel: fmt.Sprintf("/proc/%d/mountinfo has %s too, from %s %s",
				h.PID, m.Mountpoint, m.Source, m.Root),
			Diagnosis: "The old root is still mounted: " +
				"umount2(2) with MNT_DETACH after pivot_root(2).",
			Look: fmt.Sprintf("cat /proc/%s/mountinfo", h.pid()),
		}
	}
	// With chroot(2) the list above can be clean, for mountinfo leaves out what
	// cannot be reached from the root; then / is no mount point.
	for _, m := range inside {
		if m.Mountpoint == "/" {
			return nil
		}
	}
	return &Failure{
		Command: h.Command, Expected: "the container's / is a mount",
		Kernel: fmt.Sprintf("/proc/%d/mountinfo has no / : "+
			"the mounts above it are out of sight, not gone", h.PID),
		Diagnosis: "The root was changed with chroot(2), which leaves the old root mounted.",
		Look:      fmt.Sprintf("cat /proc/%s/mountinfo", h.pid()),
	}
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
	return &Failure{
		Command:  h.Command,
		Expected: fmt.Sprintf("process 1 of the container's /proc is in pid:[%d]", own.Ino),
		Kernel:   fmt.Sprintf("%s: inode %d, %v", path, shown.Ino, err),
		Diagnosis: "A /proc shows the PID namespace of the process that mounted it: " +
			"the container has to mount its own.",
		Look: fmt.Sprintf("ls /proc/%s/root/proc", h.pid()),
	}
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

// sysReadOnly reads the options of /sys.
func sysReadOnly(_ *Subject, h *Held) error {
	m, err := mountAt(h.PID, "/sys")
	if err != nil {
		return err
	}
	f := &Failure{
		Command: h.Command, Expected: "a sysfs on /sys, read-only",
		Kernel:    fmt.Sprintf("/proc/%d/mountinfo has none", h.PID),
		Diagnosis: "Whoever can write to /sys can reconfigure the host's devices.",
		Look:      fmt.Sprintf("grep ' /sys ' /proc/%s/mountinfo", h.pid()),
	}
	switch {
	case m == nil:
		return f
	case m.FSType != "sysfs" || !slices.Contains(strings.Split(m.Options, ","), "ro"):
		f.Kernel = fmt.Sprintf("%s with %s", m.FSType, m.Options)
		return f
	}
	return nil
}

// devices compares the container's device nodes with the host's.
func devices(_ *Subject, h *Held) error {
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		var want, got unix.Stat_t
		path := fmt.Sprintf("/proc/%d/root/dev/%s", h.PID, name)
		if err := unix.Stat("/dev/"+name, &want); err != nil {
			return err
		}
		err := unix.Stat(path, &got)
		if err == nil && got.Mode&unix.S_IFMT == unix.S_IFCHR && got.Rdev == want.Rdev {
			continue
		}
		return &Failure{
			Command: h.Command, Expected: fmt.Sprintf("/dev/%s is the character device %d:%d",
				name, unix.Major(want.Rdev), unix.Minor(want.Rdev)),
			Kernel: fmt.Sprintf("%s: mode %o, device %d:%d, %v", path, got.Mode,
				unix.Major(got.Rdev), unix.Minor(got.Rdev), err),
			Diagnosis: "Programs count on these devices; " +
				"where mknod(2) is refused the host's can be bound.",
			Look: fmt.Sprintf("ls -l /proc/%s/root/dev", h.pid()),
		}
	}
	return ownDevMounts(h)
}

// ownDevMounts compares the file systems on and below /dev with the host's: a
// bind mount of the host's would have the same device number.
func ownDevMounts(h *Held) error {
	for point, kind := range map[string]string{
		"/dev": "tmpfs", "/dev/pts": "devpts", "/dev/shm": "tmpfs",
	} {
		own, errOwn := mountAt(h.PID, point)
		host, errHost := mountAt(os.Getpid(), point)
		if err := errors.Join(errOwn, errHost); err != nil {
			return err
		}
		f := &Failure{
			Command: h.Command, Expected: "a " + kind + " of the container's own on " + point,
			Kernel:    fmt.Sprintf("/proc/%d/mountinfo has none", h.PID),
			Diagnosis: "Devices, terminals and shared memory are the host's, or missing.",
			Look: fmt.Sprintf("grep ' %s ' /proc/%s/mountinfo /proc/self/mountinfo",
				point, h.pid()),
		}
		switch {
		case own == nil:
			return f
		case own.FSType != kind:
			f.Kernel = "it is a " + own.FSType
			return f
		case host != nil && own.Major == host.Major && own.Minor == host.Minor:
			f.Kernel = fmt.Sprintf("it is %d:%d, as on the host", own.Major, own.Minor)
			return f
		}
	}
	return nil
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
		Kernel: strings.TrimSpace(r.Stdout + r.Stderr),
		Diagnosis: "The root was changed with chroot(2): " +
			"a process that is root inside leaves it by a second chroot.",
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
	if string(before) == string(during) && string(before) == string(after) {
		return nil
	}
	return &Failure{
		Command: h.Command, Expected: "/proc/self/mountinfo of the host as before",
		Kernel: "while it ran:\n" + string(during) + "after:\n" + string(after),
		Diagnosis: "Mounts of the container reached the host: " +
			"they were made before the namespace, or in a shared one.",
		Look: "cat /proc/self/mountinfo",
	}
}
