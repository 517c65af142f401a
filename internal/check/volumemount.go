//go:build linux

package check

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"lab/internal/inspect"
)

// volumeHidden looks for the volume's target among the mounts of the host, while
// a container runs or after.
func volumeHidden(s *Subject, command string) error {
	mounts, err := inspect.Mounts(os.Getpid())
	if err != nil {
		return err
	}
	for _, m := range mounts {
		if m.Mountpoint != filepath.Join(s.Root, "mnt") {
			continue
		}
		return &Failure{
			Command: command, Expected: "the host's mount table does not show the volume",
			Kernel:  "/proc/self/mountinfo of the host has a mount on " + m.Mountpoint,
			Mistake: "volume-on-the-host",
			Diagnosis: "The volume was mounted where the host sees it: in the parent, or before " +
				"the container's mounts were made private.",
			Look: "grep ' " + m.Mountpoint + " ' /proc/self/mountinfo",
		}
	}
	return nil
}

// volumePrivate looks for a peer of the volume's mount among those of the host:
// what is mounted in one of them would appear in the other.
func volumePrivate(h *Held) error {
	inside, err := mountAt(h.PID, "/mnt")
	if err != nil || inside == nil {
		return err
	}
	outside, err := inspect.Mounts(os.Getpid())
	if err != nil {
		return err
	}
	host := peers(outside)
	for group := range peers([]*mountinfo.Info{inside}) {
		point, shared := host[group]
		if !shared {
			continue
		}
		return &Failure{
			Command: h.Command, Expected: "/mnt inside is no peer of a mount of the host",
			Kernel: fmt.Sprintf("/proc/%d/mountinfo: %s, as %s on the host is",
				h.PID, inside.Optional, point),
			Mistake: "volume-stays-shared",
			Diagnosis: "A copy of a shared mount is its peer: what the container mounts in the " +
				"volume appears on the host. Make the mounts private before the copy is made.",
			Look: fmt.Sprintf("grep ' /mnt ' /proc/%s/mountinfo", h.pid()),
		}
	}
	return nil
}

// volumeClosed looks for the source among the open files of the command, to which
// the way would lead past the volume's options.
func volumeClosed(h *Held, v *shared) error {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", h.PID))
	if err != nil {
		return err
	}
	for _, file := range files {
		if same, err := isSame(v.dir, file); err != nil || !same {
			continue
		}
		return &Failure{
			Command: h.Command, Expected: "the command has no open file of the host",
			Kernel: fmt.Sprintf("%s is %s", file, v.dir), Mistake: "volume-fd-leaked",
			Diagnosis: "The file by which the source was mounted stays open in the command: " +
				"close it, and open it with O_CLOEXEC, which execve(2) closes.",
			Look: fmt.Sprintf("ls -l /proc/%s/fd", h.pid()),
		}
	}
	return nil
}

// writable looks whether a volume without :ro was made read-only.
func writable(h *Held, point string) error {
	m, err := mountAt(h.PID, point)
	if err != nil || m == nil || !slices.Contains(strings.Split(m.Options, ","), "ro") {
		return err
	}
	return &Failure{
		Command: h.Command, Expected: point + " can be written to, for :ro was not asked for",
		Kernel:  "mount options " + m.Options,
		Mistake: "always-read-only",
		Diagnosis: "The volume is read-only without :ro: " +
			"the flag's third word is optional, and only that makes it so.",
		Look: fmt.Sprintf("grep ' %s ' /proc/%s/mountinfo", point, h.pid()),
	}
}

// submountSeen mounts something in the source, on the host, and looks for it in
// the container, where it has to be as read-only as the rest.
func submountSeen(ctx context.Context, s *Subject) error {
	return withShared(s, func(v *shared) error {
		below := filepath.Join(v.dir, "below")
		if err := os.Mkdir(below, 0o755); err != nil {
			return err
		}
		// mount -t tmpfs -o mode=755 below DIR
		if err := unix.Mount("below", below, "tmpfs", 0, "mode=755"); err != nil {
			return fmt.Errorf("mount tmpfs on %s: %w", below, err)
		}
		judged := os.WriteFile(filepath.Join(below, "file"), []byte(v.word), 0o644)
		if judged == nil {
			judged = submountInside(ctx, s, v)
		}
		return errors.Join(judged, unix.Unmount(below, unix.MNT_DETACH))
	})
}

// submountInside looks at the mount in the source from inside.
func submountInside(ctx context.Context, s *Subject, v *shared) error {
	h, err := s.Hold(ctx, true, "-rootfs", s.Root, "-v", v.dir+":/mnt:ro")
	if err != nil {
		return err
	}
	const name = "/mnt/below/file"
	text, errRead := os.ReadFile(h.inside(name))
	file, errWrite := os.OpenFile(h.inside(name), os.O_WRONLY, 0)
	if errWrite == nil {
		errWrite = file.Close() // nothing was written
	}
	f := &Failure{
		Command: h.Command, Expected: name + " inside is the file that is mounted there",
		Kernel: fmt.Sprintf("reading it: %q, %v", text, errRead), Mistake: "bind-not-recursive",
		Diagnosis: "The volume has an empty directory where another file system is mounted on " +
			"the host: MS_REC, or AT_RECURSIVE, takes along what is mounted in the source.",
		Look: fmt.Sprintf("grep ' /mnt' /proc/%s/mountinfo", h.pid()),
	}
	_, err = h.Stop(ctx)
	switch {
	case err != nil:
		return err
	case string(text) != v.word:
		return f
	case errors.Is(errWrite, unix.EROFS):
		return nil
	}
	// The volume's own mount is judged by another check.
	f.Expected = "opening " + name + " to write gives EROFS"
	f.Kernel = fmt.Sprintf("open: %v", errWrite)
	f.Mistake = "ro-not-recursive"
	f.Diagnosis = "Each mount has a flag of its own, and only the volume's was made read-only: " +
		"mount_setattr(2) with AT_RECURSIVE changes those in it, too."
	return f
}
