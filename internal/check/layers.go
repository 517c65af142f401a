//go:build linux

package check

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// image is a throw-away stack of directories: two lower layers above the
// built-in root, and places for upper layers.
type image struct {
	dir  string
	word string // what the files of the topmost layer say
	root string
}

// newImage makes the layers. Both have the file /opt/app/both. The topmost has the
// agent as well, and what a root needs: whichever layers a program leaves out, the
// agent runs and the others are missed.
func newImage(s *Subject) (*image, error) {
	dir, err := os.MkdirTemp("", "lab-layers-")
	if err != nil {
		return nil, err
	}
	m := &image{dir: dir, word: s.Word("top"), root: s.Root}
	for name, text := range map[string]string{
		"top/opt/app/both":           m.word,
		"top/opt/app/gone":           "to be removed",
		"top/opt/app/old/file":       "in a directory to be replaced",
		"middle/opt/app/both":        "hidden",
		"middle/opt/app/middle only": "seen through",
		"upper/.keep":                "",
		"second/.keep":               "",
		"top/proc/.keep":             "",
		"top/sys/.keep":              "",
		"top/dev/.keep":              "",
		"top/etc/.keep":              "",
	} {
		path := filepath.Join(dir, name)
		err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755),
			os.WriteFile(path, []byte(text), 0o644))
		if err != nil {
			return nil, errors.Join(err, m.remove())
		}
	}
	for _, empty := range []string{"upper", "second", "top/proc", "top/sys", "top/dev", "top/etc"} {
		err = errors.Join(err, os.Remove(m.path(empty+"/.keep")))
	}
	return m, errors.Join(err,
		os.Chmod(dir, 0o755), // its files are anybody's to read, as an image's are
		s.own(dir), m.lend(s.Probe(false), s.Probe(true)))
}

// lend gives the topmost layer a file of the root.
func (m *image) lend(from, name string) error {
	to := m.path("top" + name)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if os.Link(from, to) == nil {
		return nil
	}
	text, err := os.ReadFile(from)                         // on another file system
	return errors.Join(err, os.WriteFile(to, text, 0o755)) //nolint:gosec // to be executed
}

// path returns the name of something in the image's directory.
func (m *image) path(name string) string { return filepath.Join(m.dir, name) }

// remove deletes the image.
func (m *image) remove() error { return os.RemoveAll(m.dir) }

// lower is the value of -lower.
func (m *image) lower() string {
	return m.path("top") + ":" + m.path("middle") + ":" + m.root
}

// flags are those of a container with one of the upper layers; "" is none.
func (m *image) flags(upper string) []string {
	flags := []string{"-lower", m.lower()}
	if upper != "" {
		flags = append(flags, "-upper", m.path(upper))
	}
	return flags
}

// withImage gives a judge a fresh image and removes it.
func withImage(s *Subject, judge func(*image) error) error {
	m, err := newImage(s)
	if err != nil {
		return err
	}
	return errors.Join(judge(m), m.remove())
}

// holdImage is withImage with a container that waits.
func holdImage(
	ctx context.Context, s *Subject, upper, prelude string, judge func(*image, *Held) error,
) error {
	return withImage(s, func(m *image) error {
		h, err := s.HoldAfter(ctx, true, prelude, m.flags(upper)...)
		if err != nil {
			return err
		}
		judged := judge(m, h)
		_, err = h.Stop(ctx)
		return errors.Join(judged, err)
	})
}

// inside returns the name by which the host reaches a file of the container.
func (h *Held) inside(name string) string { return fmt.Sprintf("/proc/%d/root%s", h.PID, name) }

// insideByHand is inside for a shell on the host.
func (h *Held) insideByHand(path string) string { return "/proc/" + h.pid() + "/root" + path }

// fingerprints describes every file below some directories: its mode, owner,
// time and content. Names that are one file are read once.
func fingerprints(dirs []string) (map[string]string, error) {
	prints, contents := map[string]string{}, map[[2]uint64]string{}
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			var st unix.Stat_t
			if err := unix.Lstat(path, &st); err != nil {
				return err
			}
			id := [2]uint64{st.Dev, st.Ino}
			if _, known := contents[id]; !known {
				if contents[id], err = content(path, st.Mode); err != nil {
					return err
				}
			}
			prints[path] = fmt.Sprintf("%o %d:%d %d %d %s", st.Mode, st.Uid, st.Gid, st.Rdev,
				st.Mtim.Nano(), contents[id])
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return prints, nil
}

// content returns a hash of a file's content, or a symbolic link's target.
func content(path string, mode uint32) (string, error) {
	switch mode & unix.S_IFMT {
	case unix.S_IFLNK:
		return os.Readlink(path)
	case unix.S_IFREG:
		file, err := os.Open(path)
		if err != nil {
			return "", err
		}
		defer file.Close()
		hash := sha256.New()
		_, err = io.Copy(hash, file)
		return hex.EncodeToString(hash.Sum(nil)), err
	}
	return "", nil
}

// differences returns the names that two sets of fingerprints disagree about.
func differences(a, b map[string]string) []string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return slices.Sorted(func(yield func(string) bool) {
		for name := range all {
			if a[name] != b[name] && !yield(name) {
				return
			}
		}
	})
}

// names lists a directory.
func names(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}
