package build

import (
	"archive/tar"
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"lab/final/internal/layer"
)

// writer writes a layer's tar.
type writer struct {
	tar   *tar.Writer
	under tree // the image so far
	made  map[string]bool
	count int       // of files
	epoch time.Time // what no file may be younger than; zero: nothing
	now   time.Time // of directories that nobody asked for

	uid, gid int
	own      bool   // the sources' owners are kept
	mode     uint64 // of all that is copied, if hasMode
	hasMode  bool
}

// newWriter begins a layer above an image.
func newWriter(w io.Writer, under tree, epoch time.Time) *writer {
	now := epoch
	if now.IsZero() {
		now = time.Now().Truncate(time.Second)
	}
	return &writer{
		tar: tar.NewWriter(w), under: under, made: map[string]bool{}, epoch: epoch, now: now,
	}
}

// entry writes the head of a file. Its parents come first if the image has none.
func (w *writer) entry(h *tar.Header) error {
	name := strings.Trim(h.Name, "/")
	if name == "." || name == "" {
		return nil
	}
	if strings.HasPrefix(path.Base(name), ".wh.") {
		return fmt.Errorf("%s: in a layer such a name says that a file is gone", name)
	}
	if err := w.parents(path.Dir(name)); err != nil {
		return err
	}
	if h.Typeflag == tar.TypeDir {
		if w.made[name] {
			return nil
		}
		w.made[name] = true
		name += "/"
	}
	h.Name, h.Format = name, tar.FormatPAX
	h.ModTime = h.ModTime.Truncate(time.Second)
	if !w.epoch.IsZero() && h.ModTime.After(w.epoch) {
		h.ModTime = w.epoch
	}
	w.count++
	h.AccessTime, h.ChangeTime, h.Uname, h.Gname = time.Time{}, time.Time{}, "", ""
	return w.tar.WriteHeader(h)
}

// parents makes the directories above a file that neither the image has nor this layer.
func (w *writer) parents(dir string) error {
	if dir == "." || w.made[dir] {
		return nil
	}
	info, err := w.under.lstat(dir)
	if err == nil && info.IsDir() {
		return nil
	}
	if err == nil {
		return fmt.Errorf("/%s is not a directory", dir)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return w.entry(&tar.Header{
		Typeflag: tar.TypeDir, Name: dir, Mode: 0o755, ModTime: w.now,
	})
}

// mkdir makes a directory for WORKDIR, and reports whether it had to.
func (w *writer) mkdir(dir string) error {
	name, err := resolve(w.under, dir)
	if err != nil {
		return err
	}
	return w.parents(name)
}

// prepare reads the flags of COPY and ADD. Files of other images keep their owners.
func (w *writer) prepare(c *Copy) (err error) {
	w.own = c.From != nil && c.Chown == ""
	if c.Chmod != "" {
		w.hasMode = true
		if w.mode, err = strconv.ParseUint(c.Chmod, 8, 12); err != nil {
			return fmt.Errorf("--chmod=%s: %w", c.Chmod, err)
		}
	}
	return w.ownedBy(c.Chown)
}

// perform writes what COPY or ADD adds to an image.
func (w *writer) perform(c *Copy, from tree) error {
	sources, err := match(from, c.Sources)
	if err != nil {
		return err
	}
	dest, err := resolve(w.under, c.Dest)
	if err != nil {
		return err
	}
	isDir := strings.HasSuffix(c.Dest, "/")
	if info, err := w.under.lstat(dest); err == nil {
		isDir = isDir || info.IsDir()
	}
	if len(sources)+len(c.Texts) > 1 && !isDir {
		return fmt.Errorf("several sources need a directory: end %s with a slash", c.Dest)
	}
	for _, s := range sources {
		if err := w.source(c, from, s, dest, isDir); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Texts)) {
		to := dest
		if isDir {
			to = path.Join(dest, path.Base(name))
		}
		if err := w.text(to, c.Texts[name]); err != nil {
			return err
		}
	}
	return nil
}

// match finds what the sources name. They may have wildcards.
func match(from tree, patterns []string) ([]string, error) {
	var found []string
	for _, pattern := range patterns {
		name := strings.TrimPrefix(path.Join("/", pattern), "/")
		if name == "" {
			name = "."
		}
		if !strings.ContainsAny(name, "*?[\\") {
			name, err := resolve(from, name)
			if err == nil {
				_, err = from.lstat(name)
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", pattern, cause(err))
			}
			found = append(found, name)
			continue
		}
		names, err := glob(from, ".", strings.Split(name, "/"))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", pattern, err)
		}
		if len(names) == 0 {
			return nil, fmt.Errorf("%s: no file is like that", pattern)
		}
		found = append(found, names...)
	}
	return found, nil
}

// cause takes the name out of an error, where the caller says it better.
func cause(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("no such file")
	}
	return err
}

// glob finds the names that are like a pattern, part by part.
func glob(t tree, dir string, pattern []string) ([]string, error) {
	if len(pattern) == 0 {
		return []string{dir}, nil
	}
	if info, err := t.lstat(dir); err != nil || !info.IsDir() {
		return nil, nil //nolint:nilerr // it is not like the pattern
	}
	names, err := t.list(dir)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, name := range names {
		like, err := path.Match(pattern[0], name)
		if err != nil {
			return nil, err
		}
		if !like {
			continue
		}
		more, err := glob(t, path.Join(dir, name), pattern[1:])
		if err != nil {
			return nil, err
		}
		found = append(found, more...)
	}
	return found, nil
}

// source writes one source. Of a directory it is the content that is copied.
func (w *writer) source(c *Copy, from tree, name, dest string, intoDir bool) error {
	info, err := from.lstat(name)
	if err != nil {
		return err
	}
	if info.IsDir() {
		if err := w.parents(dest); err != nil {
			return err
		}
		return w.content(from, name, dest)
	}
	if c.Unpack && info.Mode().IsRegular() {
		if done, err := w.unpack(from, name, dest); done || err != nil {
			return err
		}
	}
	if intoDir {
		dest = path.Join(dest, path.Base(name))
	}
	return w.file(from, name, dest)
}

// content writes what is in a directory.
func (w *writer) content(from tree, name, dest string) error {
	names, err := from.list(name)
	if err != nil {
		return err
	}
	for _, n := range names {
		if err := w.file(from, path.Join(name, n), path.Join(dest, n)); err != nil {
			return err
		}
	}
	return nil
}

// file writes a file of any kind, a directory with its content.
func (w *writer) file(from tree, name, dest string) error {
	info, err := from.lstat(name)
	if err != nil {
		return err
	}
	link := ""
	if info.Mode()&fs.ModeSymlink != 0 {
		if link, err = from.readlink(name); err != nil {
			return err
		}
	}
	if info.Mode()&fs.ModeSocket != 0 {
		return nil // nobody listens to a copy
	}
	h, err := tar.FileInfoHeader(info, link)
	if err != nil {
		return err
	}
	h.Name, h.Xattrs, h.PAXRecords = dest, nil, nil //nolint:staticcheck // the old field, too
	w.describe(h, info)
	if err := w.entry(h); err != nil {
		return err
	}
	switch {
	case info.IsDir():
		return w.content(from, name, dest)
	case info.Mode().IsRegular():
		return w.body(from, name)
	}
	return nil
}

// describe gives a file owner and mode.
func (w *writer) describe(h *tar.Header, info fs.FileInfo) {
	h.Uid, h.Gid = w.uid, w.gid
	if w.own {
		h.Uid, h.Gid = owner(info)
	}
	if w.hasMode && info.Mode()&fs.ModeSymlink == 0 {
		h.Mode = int64(w.mode)
	}
}

// body writes the content of a regular file.
func (w *writer) body(from tree, name string) error {
	file, err := from.open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(w.tar, file)
	return err
}

// text writes a file that stands in the Dockerfile.
func (w *writer) text(dest, text string) error {
	h := &tar.Header{
		Typeflag: tar.TypeReg, Name: dest, Mode: 0o644, Size: int64(len(text)),
		ModTime: w.now, Uid: w.uid, Gid: w.gid,
	}
	if w.hasMode {
		h.Mode = int64(w.mode)
	}
	if err := w.entry(h); err != nil {
		return err
	}
	_, err := io.WriteString(w.tar, text)
	return err
}

// unpack writes the content of a tar, packed or not, and reports whether it is one. Owners
// and modes are the tar's own.
func (w *writer) unpack(from tree, name, dest string) (bool, error) {
	file, err := from.open(name)
	if err != nil {
		return false, err
	}
	defer file.Close()
	plain, err := layer.Decompress(io.NopCloser(bufio.NewReader(file)))
	if err != nil {
		return false, nil // a file like others
	}
	defer plain.Close()
	archive := tar.NewReader(plain)
	h, err := archive.Next()
	if err != nil {
		return false, nil // a file like others
	}
	for ; err == nil; h, err = archive.Next() {
		if err := w.member(h, archive, dest); err != nil {
			return true, err
		}
	}
	if !errors.Is(err, io.EOF) {
		return true, err
	}
	return true, nil
}

// member writes one file of a tar. Names lead nowhere but below dest.
func (w *writer) member(h *tar.Header, body io.Reader, dest string) error {
	switch h.Typeflag {
	case tar.TypeXGlobalHeader:
		return nil
	case tar.TypeLink:
		h.Linkname = path.Join(dest, path.Join("/", h.Linkname))
	}
	h.Name = path.Join(dest, path.Join("/", h.Name))
	h.PAXRecords, h.Xattrs = nil, nil //nolint:staticcheck // the old field, too
	if err := w.entry(h); err != nil {
		return err
	}
	if h.Typeflag != tar.TypeReg {
		return nil
	}
	_, err := io.Copy(w.tar, body)
	return err
}

// ownedBy reads --chown: names are looked up in the image.
func (w *writer) ownedBy(text string) error {
	if text == "" {
		return nil
	}
	user, group, hasGroup := strings.Cut(text, ":")
	uid, gid, err := w.lookUp("etc/passwd", user, "user")
	if err != nil {
		return err
	}
	if hasGroup {
		if gid, _, err = w.lookUp("etc/group", group, "group"); err != nil {
			return err
		}
	} else if gid < 0 {
		gid = uid
	}
	w.uid, w.gid = uid, gid
	return nil
}

// lookUp finds a number by a name, and the fourth field, which of a user is the group.
//
//	www-data:x:33:33:…
func (w *writer) lookUp(file, name, what string) (id, fourth int, err error) {
	if id, err := strconv.Atoi(name); err == nil && id >= 0 {
		return id, -1, nil
	}
	resolved, err := resolve(w.under, file)
	if err != nil {
		return 0, 0, err
	}
	f, err := w.under.open(resolved)
	if err != nil {
		return 0, 0, fmt.Errorf("--chown: %s %q: the image has no /%s", what, name, file)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Split(lines.Text(), ":")
		if len(fields) < 4 || fields[0] != name {
			continue
		}
		id, err := strconv.Atoi(fields[2])
		if err != nil {
			return 0, 0, fmt.Errorf("/%s: %q", file, lines.Text())
		}
		fourth, err := strconv.Atoi(fields[3])
		if err != nil {
			fourth = -1 // the members of a group
		}
		return id, fourth, nil
	}
	return 0, 0, fmt.Errorf("--chown: there is no %s %q in the image", what, name)
}
