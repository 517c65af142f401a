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

	"golang.org/x/sys/unix"

	"lab/internal/inspect"
)

// volumeChecks are those of 07-volumes.
func volumeChecks() []Check {
	return []Check{
		// The first, for what is left by one run gets in the way of the next.
		{"the host sees no mount, and its files stay", volumeLeavesNothing},
		{"a directory and a file are the same inodes inside and outside", sameInodes},
		{"what is written inside is written outside", writesThrough},
		{"a read-only volume refuses every write", readOnlyVolume},
		{"a symbolic link in the root leads no volume outside", linkStaysInside},
		{"a source that does not exist is refused", sourceMissing},
	}
}

// shared is a throw-away directory of the host, with a file in it.
type shared struct {
	dir  string
	file string
	word string // what the file says
}

// withShared gives a judge a fresh directory and removes it.
func withShared(s *Subject, judge func(*shared) error) error {
	dir, err := os.MkdirTemp("", "lab-volume-")
	if err != nil {
		return err
	}
	v := &shared{dir, filepath.Join(dir, s.Word("file")), s.Word("text")}
	err = os.WriteFile(v.file, []byte(v.word), 0o644)
	if err = errors.Join(err, s.own(dir)); err == nil {
		err = judge(v)
	}
	return errors.Join(err, os.RemoveAll(dir))
}

// holdShared is withShared with a container that waits. Both targets are in
// every root: /mnt is the directory, /etc/hostname the file.
func holdShared(
	ctx context.Context, s *Subject, option, prelude string, judge func(*shared, *Held) error,
) error {
	return withShared(s, func(v *shared) error {
		h, err := s.HoldAfter(ctx, true, prelude, "-rootfs", s.Root,
			"-v", v.dir+":/mnt"+option, "-v", v.file+":/etc/hostname"+option)
		if err != nil {
			return err
		}
		judged := judge(v, h)
		_, err = h.Stop(ctx)
		return errors.Join(judged, err)
	})
}

// sameInodes compares device and inode from outside.
func sameInodes(ctx context.Context, s *Subject) error {
	return holdShared(ctx, s, "", "", func(v *shared, h *Held) error {
		return errors.Join(
			sameInode(h, v.dir, "/mnt"),
			sameInode(h, v.file, "/mnt/"+filepath.Base(v.file)),
			sameInode(h, v.file, "/etc/hostname"))
	})
}

// sameInode compares one name on the host with one in the container.
func sameInode(h *Held, host, inside string) error {
	same, err := isSame(host, h.inside(inside))
	if err == nil && same {
		return nil
	}
	return &Failure{
		Command:  h.Command,
		Expected: fmt.Sprintf("%s inside is %s of the host, by device and inode", inside, host),
		Kernel:   fmt.Sprintf("it is another file, %v", err),
		Diagnosis: "The files were copied, or the volume is not where it should be. " +
			"A bind mount shows the very inode.",
		Look: fmt.Sprintf("stat %s %s", host, h.insideByHand(inside)),
	}
}

// isSame reports whether two names are one file.
func isSame(a, b string) (bool, error) {
	var first, second unix.Stat_t
	err := errors.Join(unix.Stat(a, &first), unix.Stat(b, &second))
	return first.Dev == second.Dev && first.Ino == second.Ino, err
}

// writesThrough writes inside and reads outside.
func writesThrough(ctx context.Context, s *Subject) error {
	name, text := s.Word("made-inside"), s.Word("text")
	prelude := fmt.Sprintf("echo %s > /mnt/%s; echo %s > /etc/hostname", text, name, text)
	return holdShared(ctx, s, "", prelude, func(v *shared, h *Held) error {
		for _, path := range []string{filepath.Join(v.dir, name), v.file} {
			got, err := os.ReadFile(path)
			if err == nil && string(got) == text+"\n" {
				continue
			}
			return &Failure{
				Command: h.Command, Expected: fmt.Sprintf("%s says %q on the host", path, text),
				Kernel:    fmt.Sprintf("%q, %v", got, err),
				Diagnosis: "What the container wrote went to a file of its own.",
				Look:      "ls -l " + v.dir,
			}
		}
		return nil
	})
}

// readOnlyVolume writes through the container's mount, from outside, as root
// of the host if this is root: no mode bits refuse that, only the mount does.
func readOnlyVolume(ctx context.Context, s *Subject) error {
	return holdShared(ctx, s, ":ro", "", func(v *shared, h *Held) error {
		err := errors.Join(sameInode(h, v.dir, "/mnt"),
			sameInode(h, v.file, "/etc/hostname"))
		if err != nil {
			return err
		}
		for point, name := range map[string]string{
			"/mnt": "/mnt/" + filepath.Base(v.file), "/etc/hostname": "/etc/hostname",
		} {
			file, err := os.OpenFile(h.inside(name), os.O_WRONLY, 0)
			if err == nil {
				_ = file.Close() // nothing was written
			}
			m, errMount := mountAt(h.PID, point)
			if errMount != nil {
				return errMount
			}
			options := "no mount"
			if m != nil {
				options = m.Options
			}
			if errors.Is(err, unix.EROFS) && slices.Contains(strings.Split(options, ","), "ro") {
				continue
			}
			return &Failure{
				Command: h.Command,
				Expected: fmt.Sprintf("%s is mounted read-only; opening %s to write gives EROFS",
					point, name),
				Kernel: fmt.Sprintf("mount options %s; open: %v", options, err),
				Diagnosis: "MS_RDONLY together with MS_BIND does nothing: " +
					"a bind mount has to be made read-only in a second call.",
				Look: fmt.Sprintf("grep ' %s ' /proc/%s/mountinfo", point, h.pid()),
			}
		}
		return nil
	})
}

// volumeLeavesNothing compares mounts and files of the host.
func volumeLeavesNothing(ctx context.Context, s *Subject) error {
	return withShared(s, func(v *shared) error {
		before, err := fingerprints([]string{s.Root, v.dir})
		if err != nil {
			return err
		}
		flags := []string{"-rootfs", s.Root, "-v", v.dir + ":/mnt"}
		err = hostTableStays(ctx, s, flags, func(_ *Subject, h *Held) error {
			return sameInode(h, v.dir, "/mnt")
		})
		after, errAfter := fingerprints([]string{s.Root, v.dir})
		if err := errors.Join(err, errAfter); err != nil {
			return err
		}
		if d := differences(before, after); len(d) > 0 {
			return &Failure{
				Command: shellLine(slices.Concat(
					[]string{s.Program, "run"}, flags, []string{"true"})),
				Expected:  "the root and the volume have the files they had",
				Kernel:    "changed: " + strings.Join(d, ", "),
				Diagnosis: "The program made or removed files to mount on.",
			}
		}
		return nil
	})
}

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

// sourceMissing names a source that is nowhere.
func sourceMissing(ctx context.Context, s *Subject) error {
	source := filepath.Join(os.TempDir(), s.Word("nowhere"))
	r, err := s.Run(ctx, "", []string{"-rootfs", s.Root, "-v", source + ":/mnt"}, "/bin/true")
	if err != nil {
		return err
	}
	if _, err := os.Lstat(source); err == nil {
		return errors.Join(os.RemoveAll(source), &Failure{
			Command: r.Command, Expected: source + " is not made", Kernel: "it is there now",
			Diagnosis: "A mistyped name became an empty directory on the host.",
		})
	}
	return wantStatus(r, 125, "The volume has no source: that is an error before anything runs.")
}
