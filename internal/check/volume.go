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
)

// volumeChecks are those of 07-volumes.
func volumeChecks() []Check {
	seen := volumesSeen
	return []Check{
		// The first, for what is left by one run gets in the way of the next.
		{"the host sees no mount, and its files stay", volumeLeavesNothing},
		{"a directory and a file are the same inodes inside and outside", sameInodes},
		{"what is written inside is written outside", follows(writesThrough, seen)},
		{"a read-only volume refuses every write", follows(readOnlyVolume, seen)},
		{"what is mounted in a source is seen as well", follows(submountSeen, seen)},
		{"a symbolic link in the root leads no volume outside", follows(linkStaysInside, seen)},
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
			return s.whyNoFile(ctx, v, err)
		}
		judged := judge(v, h)
		_, err = h.Stop(ctx)
		return errors.Join(judged, err)
	})
}

// sameInodes compares device and inode from outside.
func sameInodes(ctx context.Context, s *Subject) error {
	return holdShared(ctx, s, "", "", func(v *shared, h *Held) error {
		dir, file := sameInode(h, v.dir, "/mnt"), sameInode(h, v.file, "/etc/hostname")
		for _, f := range []*Failure{dir, file} {
			if f != nil && (dir == nil || file == nil) {
				f.Mistake = "one-volume-only"
				f.Diagnosis = "Of two -v only one was mounted: " +
					"the flag may be repeated, and none takes the place of another."
			}
			if f != nil {
				return f
			}
		}
		if f := sameInode(h, v.file, "/mnt/"+filepath.Base(v.file)); f != nil {
			return f
		}
		return errors.Join(volumePrivate(h), volumeClosed(h, v))
	})
}

// volumesSeen is sameInodes without the rest.
func volumesSeen(ctx context.Context, s *Subject) error {
	return holdShared(ctx, s, "", "", func(v *shared, h *Held) error {
		for inside, host := range map[string]string{"/mnt": v.dir, "/etc/hostname": v.file} {
			if f := sameInode(h, host, inside); f != nil {
				return f
			}
		}
		return nil
	})
}

// sameInode compares one name on the host with one in the container; nil if they
// are one file.
func sameInode(h *Held, host, inside string) *Failure {
	same, err := isSame(host, h.inside(inside))
	if err == nil && same {
		return nil
	}
	f := &Failure{
		Command:  h.Command,
		Expected: fmt.Sprintf("%s inside is %s of the host, by device and inode", inside, host),
		Kernel:   "it is another file",
		Mistake:  "volume-not-mounted",
		Diagnosis: "Nothing of the source is at the target: " +
			"no mount shows it there when the command runs.",
		Look: fmt.Sprintf("stat %s %s", host, h.insideByHand(inside)),
	}
	if err != nil {
		f.Kernel = err.Error()
	}
	if looksLike(host, h.inside(inside)) {
		f.Kernel = "it is another file, with the same content"
		f.Mistake = "volume-copied"
		f.Diagnosis = "The source was copied: what one side writes the other does not see. " +
			"A bind mount shows the very inode."
	}
	return f
}

// looksLike compares the content of two files, or the names in two directories.
func looksLike(a, b string) bool {
	in, err := os.ReadFile(a)
	if err == nil {
		text, err := os.ReadFile(b)
		return err == nil && string(in) == string(text)
	}
	all, err := names(a)
	if err != nil || len(all) == 0 {
		return false
	}
	here, err := names(b)
	return err == nil && !slices.ContainsFunc(all, func(name string) bool {
		return !slices.Contains(here, name)
	})
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
		if err := writable(h, "/mnt"); err != nil {
			return err
		}
		for _, path := range []string{filepath.Join(v.dir, name), v.file} {
			got, err := os.ReadFile(path)
			if err == nil && string(got) == text+"\n" {
				continue
			}
			return &Failure{
				Command: h.Command, Expected: fmt.Sprintf("%s says %q on the host", path, text),
				Kernel:    fmt.Sprintf("%q, %v", got, err),
				Mistake:   "written-elsewhere",
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
				Kernel:  fmt.Sprintf("mount options %s; open: %v", options, err),
				Mistake: "ro-not-applied",
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
		flags := []string{"-rootfs", s.Root, "-v", v.dir + ":/mnt"}
		command := shellLine(slices.Concat([]string{s.Program, "run"}, flags, []string{"true"}))
		// An earlier run may have left a mount, which is in the way of this one.
		if err := volumeHidden(s, command); err != nil {
			return err
		}
		before, err := fingerprints([]string{s.Root, v.dir})
		if err != nil {
			return err
		}
		err = hostTableStays(ctx, s, flags, func(_ *Subject, h *Held) error {
			if err := volumeHidden(s, h.Command); err != nil {
				return err
			}
			if f := sameInode(h, v.dir, "/mnt"); f != nil {
				return f
			}
			return nil
		})
		err = s.whyNoVolume(ctx, v, err)
		after, errAfter := fingerprints([]string{s.Root, v.dir})
		if err := errors.Join(err, errAfter); err != nil {
			return err
		}
		if d := differences(before, after); len(d) > 0 {
			return &Failure{
				Command:   command,
				Expected:  "the root and the volume have the files they had",
				Kernel:    "changed: " + strings.Join(d, ", "),
				Mistake:   "root-changed",
				Diagnosis: "The program made or removed files to mount on.",
			}
		}
		return nil
	})
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
			Mistake:   "source-made",
			Diagnosis: "A mistyped name became an empty directory on the host.",
			Look:      "ls -ld " + source,
		})
	}
	return called("missing-source-ignored", wantStatus(r, 125,
		"The volume has no source: that is an error before anything runs."))
}
