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

// overlayChecks are those of 06-unionfs.
func overlayChecks() []Check {
	return []Check{
		{"its root is an overlay in which the upper layer hides the lower", rootIsOverlay},
		{"no lower layer is changed", lowerStays},
		{"upper takes copies, whiteouts and opaque directories", upperTakes},
		{"hosts, hostname and resolv.conf are in a layer of their own", initLayer},
		{"two containers share the lower layers at once", lowerShared},
		{"without -upper the root is read-only", readOnlyRoot},
		{"a hundred layers make a root", hundredLayers},
		{"the host sees no mount, and only upper is left", nothingBesideUpper},
	}
}

// rootIsOverlay reads mountinfo, then what the layers show.
func rootIsOverlay(ctx context.Context, s *Subject) error {
	return holdImage(ctx, s, "upper", "", func(m *image, h *Held) error {
		mount, err := mountAt(h.PID, "/")
		if err != nil {
			return err
		}
		f := &Failure{
			Command: h.Command, Expected: "the container's / is an overlay",
			Kernel:    fmt.Sprintf("/proc/%d/mountinfo has no mount on /", h.PID),
			Diagnosis: "The layers are not stacked by the kernel; copying them is no overlay.",
			Look:      fmt.Sprintf("grep ' / / ' /proc/%s/mountinfo", h.pid()),
		}
		if mount == nil {
			return f
		}
		if mount.FSType != "overlay" {
			f.Kernel = "it is " + mount.FSType
			return f
		}
		for name, want := range map[string]string{
			"/opt/app/both": m.word, "/opt/app/middle only": "seen through",
		} {
			text, err := os.ReadFile(h.inside(name))
			if err == nil && string(text) == want {
				continue
			}
			return &Failure{
				Command: h.Command, Expected: fmt.Sprintf("%s says %q inside", name, want),
				Kernel: fmt.Sprintf("it says %q, %v", text, err),
				Diagnosis: "The layers are in another order than lowerdir= has them: " +
					"the first is the topmost.",
				Look: "ls " + h.insideByHand("/opt/app"),
			}
		}
		return nil
	})
}

// changes is a line of shell that changes the root in every way: a new file, a
// longer one, a removed one, a replaced directory, another mode.
const changes = "echo more >> /opt/app/both; rm /opt/app/gone; " +
	"rm -r /opt/app/old; mkdir /opt/app/old; echo new > /opt/app/old/new; " +
	"chmod 700 /mnt; echo x > /new"

// lowerStays compares the lower layers, file by file, before and after.
func lowerStays(ctx context.Context, s *Subject) error {
	return withImage(s, func(m *image) error {
		layers := []string{m.path("top"), m.path("middle"), m.root}
		before, err := fingerprints(layers)
		if err != nil {
			return err
		}
		r, err := s.Run(ctx, "", m.flags("upper"), "/bin/sh", "-c", changes)
		if err != nil {
			return err
		}
		after, err := fingerprints(layers)
		if err != nil {
			return err
		}
		if d := differences(before, after); len(d) > 0 {
			return &Failure{
				Command: r.Command, Expected: "the layers of -lower are as before",
				Kernel:    "changed: " + strings.Join(d, ", "),
				Diagnosis: "The container wrote to a lower layer, which others use as well.",
			}
		}
		return wantStatus(r, 0, "The root with -upper has to be writable.")
	})
}

// upperTakes looks for the traces of the changes in upper.
func upperTakes(ctx context.Context, s *Subject) error {
	return withImage(s, func(m *image) error {
		r, err := s.Run(ctx, "", m.flags("upper"), "/bin/sh", "-c", changes)
		if err != nil {
			return err
		}
		upper := m.path("upper")
		fail := func(expected string, kernel any, diagnosis string) error {
			return &Failure{
				Command: r.Command, Expected: expected, Kernel: fmt.Sprint(kernel),
				Diagnosis: diagnosis, Look: "ls -lR " + upper,
			}
		}
		text, err := os.ReadFile(filepath.Join(upper, "opt/app/both"))
		if want := m.word + "more\n"; err != nil || string(text) != want {
			return fail(fmt.Sprintf("upper has a copy of opt/app/both that says %q", want),
				fmt.Sprintf("%q, %v", text, err),
				"The first write copies the whole file up; here it went elsewhere.")
		}
		var st unix.Stat_t
		err = unix.Lstat(filepath.Join(upper, "opt/app/gone"), &st)
		if err != nil || st.Mode&unix.S_IFMT != unix.S_IFCHR || st.Rdev != 0 {
			return fail("upper has a whiteout opt/app/gone, the character device 0:0",
				fmt.Sprintf("mode %o, device %x, %v", st.Mode, st.Rdev, err),
				"What was removed inside has to be hidden by upper.")
		}
		if got := opaque(filepath.Join(upper, "opt/app/old")); got != "y" {
			return fail("upper has an opaque directory opt/app/old: overlay.opaque is y",
				fmt.Sprintf("overlay.opaque is %q", got),
				"A directory that was removed and made again must not show the old one's files.")
		}
		return nil
	})
}

// opaque returns the attribute by which a directory hides the ones below it;
// in a user namespace its name begins with user.
func opaque(dir string) string {
	value := make([]byte, 8)
	for _, name := range []string{"trusted.overlay.opaque", "user.overlay.opaque"} {
		if n, err := unix.Lgetxattr(dir, name, value); err == nil {
			return string(value[:n])
		}
	}
	return ""
}

// initLayer looks for the container's own files, inside and in upper.
func initLayer(ctx context.Context, s *Subject) error {
	hostname := s.Word("name")
	return withImage(s, func(m *image) error {
		h, err := s.Hold(ctx, true, append(m.flags("upper"), "-hostname", hostname)...)
		if err != nil {
			return err
		}
		judged := judgeInitLayer(m, h, hostname)
		_, err = h.Stop(ctx)
		return errors.Join(judged, err)
	})
}

// judgeInitLayer reads the files while the container runs.
func judgeInitLayer(m *image, h *Held, hostname string) error {
	for name, want := range map[string]string{
		"/etc/hostname": hostname + "\n", "/etc/hosts": hostname, "/etc/resolv.conf": "",
	} {
		text, err := os.ReadFile(h.inside(name))
		if err != nil || !strings.Contains(string(text), want) {
			return &Failure{
				Command: h.Command, Expected: fmt.Sprintf("%s has %q", name, want),
				Kernel:    fmt.Sprintf("%q, %v", text, err),
				Diagnosis: "The file is the image's: nobody wrote this container's.",
				Look:      "cat " + h.insideByHand(name),
			}
		}
		if _, err := os.Lstat(m.path("upper" + name)); err == nil {
			return &Failure{
				Command: h.Command, Expected: "upper has only what the container changed",
				Kernel: "it has " + name,
				Diagnosis: "What differs from run to run belongs into a lower layer of its own, " +
					"not into upper.",
				Look: "ls -lR " + m.path("upper"),
			}
		}
	}
	return nil
}

// lowerShared holds two containers on the same lower layers.
func lowerShared(ctx context.Context, s *Subject) error {
	words := map[string]string{"upper": s.Word("first"), "second": s.Word("second")}
	write := func(upper string) string { return "echo " + words[upper] + " > /opt/app/both" }
	return withImage(s, func(m *image) error {
		running := map[string]*Held{}
		var errs []error
		for upper := range words {
			h, err := s.HoldAfter(ctx, true, write(upper), m.flags(upper)...)
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

// readOnlyRoot tries to write through the container's root, from outside.
func readOnlyRoot(ctx context.Context, s *Subject) error {
	return holdImage(ctx, s, "", "", func(_ *image, h *Held) error {
		file, err := os.Create(h.inside("/" + s.Word("file")))
		if errors.Is(err, unix.EROFS) {
			return nil
		}
		if err == nil {
			err = errors.Join(file.Close(), os.Remove(file.Name()))
		}
		return &Failure{
			Command: h.Command, Expected: "writing to / gives EROFS",
			Kernel: fmt.Sprintf("creating a file there: %v", err),
			Diagnosis: "Without an upper layer there is no place for changes: " +
				"the root has to refuse them.",
			Look: fmt.Sprintf("grep ' / / ' /proc/%s/mountinfo", h.pid()),
		}
	})
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
		h, err := s.Hold(ctx, true, flags...)
		if err != nil {
			return err
		}
		var judged error
		for _, name := range names {
			if _, err := os.Stat(h.inside("/" + name)); err != nil && judged == nil {
				judged = &Failure{
					Command: h.Command, Expected: "the root shows the files of all layers",
					Kernel: err.Error(),
					Diagnosis: "Layers were left out: the options of a mount have to fit " +
						"into one page.",
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
		err = hostTableStays(ctx, s, m.flags("upper"), oldRootGone)
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
			Diagnosis: "The overlay's working directory is of no use after the container: " +
				"it has to be removed when the mount is gone.",
			Look: "ls -la " + m.dir,
		}
	})
}
