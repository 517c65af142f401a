package build

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
	"golang.org/x/sys/unix"
)

// tree is files that COPY can take: the directory that is built from, or the layers of an
// image as one. Names have no slash in front; the top is ".".
type tree interface {
	lstat(name string) (fs.FileInfo, error)
	list(name string) ([]string, error) // sorted
	open(name string) (io.ReadCloser, error)
	readlink(name string) (string, error)
}

// Directory is the directory that is built from, without what .dockerignore names.
type Directory struct {
	root    *os.Root
	ignored *patternmatcher.PatternMatcher
}

// OpenDirectory opens the directory that is built from. What is ignored is told by the
// first of these files that is there.
func OpenDirectory(dir string, ignoreFiles ...string) (*Directory, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	d := &Directory{root: root}
	for _, name := range ignoreFiles {
		patterns, err := readIgnored(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			d.ignored, err = patternmatcher.New(patterns)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", name, err), root.Close())
		}
		break
	}
	return d, nil
}

// readIgnored reads a .dockerignore.
func readIgnored(name string) ([]string, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return ignorefile.ReadAll(file)
}

// Close closes the directory.
func (d *Directory) Close() error { return d.root.Close() }

// ignores reports whether a name is not to be seen.
func (d *Directory) ignores(name string) bool {
	if d.ignored == nil || name == "." {
		return false
	}
	// The patterns are good: New has compiled them.
	yes, err := d.ignored.MatchesOrParentMatches(name)
	return err == nil && yes
}

// lstat looks at a file. An ignored directory is seen if something below it may not be
// ignored.
func (d *Directory) lstat(name string) (fs.FileInfo, error) {
	info, err := d.root.Lstat(name)
	if err == nil && d.ignores(name) && (!info.IsDir() || !d.hasVisible(name)) {
		return nil, &fs.PathError{Op: "lstat", Path: name, Err: fs.ErrNotExist}
	}
	return info, err
}

// hasVisible reports whether an ignored directory has something in it that an exclamation
// mark brings back.
func (d *Directory) hasVisible(name string) bool {
	if !d.ignored.Exclusions() {
		return false
	}
	names, err := d.list(name)
	return err == nil && len(names) > 0
}

// list lists a directory.
func (d *Directory) list(name string) ([]string, error) {
	file, err := d.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	names, err := file.Readdirnames(-1)
	slices.Sort(names)
	return slices.DeleteFunc(names, func(n string) bool {
		_, err := d.lstat(path.Join(name, n))
		return errors.Is(err, fs.ErrNotExist)
	}), err
}

func (d *Directory) open(name string) (io.ReadCloser, error) { return d.root.Open(name) }
func (d *Directory) readlink(name string) (string, error)    { return d.root.Readlink(name) }

// view is an image's layers as one tree, as overlayfs would show it, the topmost first.
type view []string

// layersOf returns the directories, the topmost first, in which a directory of the image
// has files, and what is at the name itself: a directory's information is that of its
// topmost part.
func (v view) find(name string) (dirs []string, info fs.FileInfo, err error) {
	dirs = v
	if name == "." {
		if len(v) == 0 {
			return nil, nil, fs.ErrNotExist
		}
		info, err = os.Lstat(v[0])
		return dirs, info, err
	}
	for part := range strings.SplitSeq(name, "/") {
		if dirs, info, err = below(dirs, part); err != nil {
			return nil, nil, &fs.PathError{Op: "lstat", Path: name, Err: err}
		}
	}
	return dirs, info, nil
}

// below looks for a name in the parts of one directory. No part is a link, so nothing
// leads out of its layer.
func below(parts []string, name string) (dirs []string, top fs.FileInfo, err error) {
	for _, p := range parts {
		full := path.Join(p, name)
		info, err := os.Lstat(full)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		if isWhiteout(info) || (top != nil && !info.IsDir()) {
			break
		}
		if top == nil {
			top = info
		}
		dirs = append(dirs, full)
		if !info.IsDir() || isOpaque(full) {
			break
		}
	}
	if top == nil {
		return nil, nil, fs.ErrNotExist
	}
	return dirs, top, nil
}

// isWhiteout reports whether a file says that there is none below.
func isWhiteout(info fs.FileInfo) bool {
	return info.Mode()&fs.ModeCharDevice != 0 && rdev(info) == 0
}

// isOpaque reports whether a directory hides those below.
func isOpaque(dir string) bool {
	for _, name := range []string{"trusted.overlay.opaque", "user.overlay.opaque"} {
		value := make([]byte, 2)
		n, err := unix.Lgetxattr(dir, name, value)
		if err == nil && string(value[:n]) == "y" {
			return true
		}
	}
	return false
}

func (v view) lstat(name string) (fs.FileInfo, error) {
	_, info, err := v.find(name)
	return info, err
}

func (v view) list(name string) ([]string, error) {
	dirs, _, err := v.find(name)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	var names []string
	for _, d := range dirs {
		entries, err := os.ReadDir(d)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if seen[e.Name()] {
				continue
			}
			seen[e.Name()] = true
			if _, _, err := below(dirs, e.Name()); err == nil {
				names = append(names, e.Name())
			}
		}
	}
	slices.Sort(names)
	return names, nil
}

func (v view) open(name string) (io.ReadCloser, error) {
	dirs, _, err := v.find(name)
	if err != nil {
		return nil, err
	}
	return os.OpenFile(dirs[0], os.O_RDONLY|unix.O_NOFOLLOW, 0)
}

func (v view) readlink(name string) (string, error) {
	dirs, _, err := v.find(name)
	if err != nil {
		return "", err
	}
	return os.Readlink(dirs[0])
}

// maxLinks is how many links a path may have on its way (path_resolution(7)).
const maxLinks = 40

// resolve follows the links in a path as a process sees it whose root the tree is. What
// is not there stays as it is written.
func resolve(t tree, name string) (string, error) {
	rest := strings.Split(path.Join("/", name), "/")[1:]
	done := "."
	for links := 0; len(rest) > 0; {
		next := path.Join(done, rest[0])
		rest = rest[1:]
		info, err := t.lstat(next)
		if errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode()&fs.ModeSymlink == 0 {
			done = next
			continue
		}
		if err != nil {
			return "", err
		}
		if links++; links > maxLinks {
			return "", &fs.PathError{Op: "resolve", Path: name, Err: unix.ELOOP}
		}
		target, err := t.readlink(next)
		if err != nil {
			return "", err
		}
		base := done
		if path.IsAbs(target) {
			base = "."
		}
		// The link is taken apart like the rest: its .. goes up from where it leads.
		whole := path.Join("/", base, target, path.Join(rest...))
		rest, done = strings.Split(whole, "/")[1:], "."
	}
	return done, nil
}
