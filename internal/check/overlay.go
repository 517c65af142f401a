//go:build linux

package check

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// overlayChecks are those of 06-unionfs.
func overlayChecks() []Check {
	stacked := rootIsOverlay
	return []Check{
		{"its root is an overlay in which the upper layer hides the lower", stacked},
		{"no lower layer is changed", follows(lowerStays, stacked)},
		{"upper takes copies, whiteouts and opaque directories", follows(upperTakes, stacked)},
		{
			"hosts, hostname and resolv.conf are in a layer of their own",
			follows(initLayer, stacked),
		},
		{"two containers share the lower layers at once", follows(lowerShared, stacked)},
		{"an upper layer in use is no second container's", follows(upperAlone, stacked)},
		{"without -upper the root is read-only", follows(readOnlyRoot, stacked)},
		{"a hundred layers make a root", follows(hundredLayers, stacked)},
		{"the host sees no mount, and only upper is left", follows(nothingBesideUpper, stacked)},
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
			Command: h.Command, Expected: "the container's / is an overlay with an upper layer",
			Kernel: fmt.Sprintf("/proc/%d/mountinfo has no mount on /", h.PID),
			Look:   fmt.Sprintf("grep ' / / ' /proc/%s/mountinfo", h.pid()),
		}
		if mount != nil {
			f.Kernel = fmt.Sprintf("it is %s with the options %s", mount.FSType, mount.VFSOptions)
		}
		switch {
		case mount == nil || mount.FSType != "overlay":
			f.Mistake = "no-overlay"
			f.Diagnosis = "The layers are not stacked by the kernel: " +
				"one of them, or a copy of them, is the root."
			return f
		case !strings.Contains(mount.VFSOptions, "upperdir="):
			f.Mistake = "upper-left-out"
			f.Diagnosis = "The overlay was mounted without upperdir= and workdir=, " +
				"so it is read-only."
			return f
		}
		return layersShown(m, h)
	})
}

// layersShown looks for a file of each lower layer.
func layersShown(m *image, h *Held) error {
	for _, in := range []struct{ layer, name string }{
		{m.path("top"), "/opt/app/gone"},
		{m.path("middle"), "/opt/app/middle only"},
		{m.root, "/bin/sh"},
	} {
		if _, err := os.Lstat(h.inside(in.name)); err != nil {
			return &Failure{
				Command:  h.Command,
				Expected: fmt.Sprintf("%s of %s is seen inside", in.name, in.layer),
				Kernel:   err.Error(), Mistake: "lower-layers-left-out",
				Diagnosis: "Not all layers of -lower are in the overlay's lowerdir=, " +
					"where they stand one after the other with colons between them.",
				Look: "ls " + h.insideByHand("/opt/app"),
			}
		}
	}
	text, err := os.ReadFile(h.inside("/opt/app/both"))
	if err != nil || string(text) == m.word {
		return err
	}
	return &Failure{
		Command: h.Command, Expected: fmt.Sprintf("/opt/app/both says %q inside", m.word),
		Kernel:  fmt.Sprintf("it says %q, which a lower layer has", text),
		Mistake: "layer-order-reversed",
		Diagnosis: "The layers are in another order than -lower has them: " +
			"in lowerdir= the first is the topmost.",
		Look: "cat " + h.insideByHand("/opt/app/both"),
	}
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
				Kernel:  "changed: " + strings.Join(d, ", "),
				Mistake: "upper-and-lower-swapped",
				Diagnosis: "A layer of -lower was given to the kernel as upperdir=: " +
					"the container wrote to it, and others use it as well.",
				Look: "ls -lR " + m.path("top"),
			}
		}
		return called("root-not-writable",
			wantStatus(r, 0, "The root with -upper has to be writable."))
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
		fail := func(mistake, expected, kernel, diagnosis string) error {
			return &Failure{
				Command: r.Command, Expected: expected, Kernel: kernel,
				Mistake: mistake, Diagnosis: diagnosis, Look: "ls -lR " + upper,
			}
		}
		if in, err := names(upper); err != nil || len(in) == 0 {
			return errors.Join(err, fail("upper-elsewhere",
				upper+" has what the container changed", "it is empty",
				"Another directory than that of -upper is the overlay's upperdir=: "+
					"what the container changes is lost, or mixed with another's."))
		}
		text, err := os.ReadFile(filepath.Join(upper, "opt/app/both"))
		if want := m.word + "more\n"; err != nil || string(text) != want {
			return fail("not-copied-up",
				fmt.Sprintf("upper has a copy of opt/app/both that says %q", want),
				fmt.Sprintf("%q, %v", text, err),
				"The first write copies the whole file up; here it went elsewhere.")
		}
		var st unix.Stat_t
		err = unix.Lstat(filepath.Join(upper, "opt/app/gone"), &st)
		if err != nil || st.Mode&unix.S_IFMT != unix.S_IFCHR || st.Rdev != 0 {
			return fail("no-whiteout",
				"upper has a whiteout opt/app/gone, the character device 0:0",
				fmt.Sprintf("mode %o, device %x, %v", st.Mode, st.Rdev, err),
				"What was removed inside has to be hidden by upper.")
		}
		if got := opaque(filepath.Join(upper, "opt/app/old")); got != "y" {
			return fail("not-opaque",
				"upper has an opaque directory opt/app/old: overlay.opaque is y",
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
	for _, own := range []struct{ name, want, mistake, diagnosis string }{
		{
			"/etc/hostname", hostname + "\n", "init-layer-missing",
			"The file is the image's, which knows no container's name: " +
				"the files that differ from run to run have to be in a layer above it.",
		},
		{
			"/etc/hosts", hostname, "hosts-without-name",
			"The container does not find its own name: /etc/hosts needs a line with it.",
		},
		{"/etc/resolv.conf", "", "resolv-conf-missing", "The container knows no name server."},
	} {
		text, err := os.ReadFile(h.inside(own.name))
		if err != nil || !strings.Contains(string(text), own.want) {
			return &Failure{
				Command: h.Command, Expected: fmt.Sprintf("%s has %q", own.name, own.want),
				Kernel:  fmt.Sprintf("%q, %v", text, err),
				Mistake: own.mistake, Diagnosis: own.diagnosis,
				Look: "cat " + h.insideByHand(own.name),
			}
		}
		if _, err := os.Lstat(m.path("upper" + own.name)); err == nil {
			return &Failure{
				Command: h.Command, Expected: "upper has only what the container changed",
				Kernel: "it has " + own.name, Mistake: "init-layer-in-upper",
				Diagnosis: "What differs from run to run belongs into a lower layer of its own, " +
					"not into upper.",
				Look: "ls -lR " + m.path("upper"),
			}
		}
	}
	return nil
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
			Kernel:  fmt.Sprintf("creating a file there: %v", err),
			Mistake: "writable-without-upper",
			Diagnosis: "Without an upper layer there is no place for changes: " +
				"the root has to refuse them.",
			Look: fmt.Sprintf("grep ' / / ' /proc/%s/mountinfo", h.pid()),
		}
	})
}
