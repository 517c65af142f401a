package build

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"
)

// writer writes a layer's tar.
type writer struct {
	tar   *tar.Writer
	under tree // the image so far
	made  map[string]bool
	count int       // of files that are not in the image
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
// Those of the image are written again as they are: overlayfs shows a directory as the
// topmost layer has it.
func (w *writer) parents(dir string) error {
	if dir == "." || w.made[dir] {
		return nil
	}
	info, err := w.under.lstat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return w.entry(&tar.Header{
			Typeflag: tar.TypeDir, Name: dir, Mode: 0o755, ModTime: w.now,
		})
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("/%s is not a directory", dir)
	}
	h, err := tar.FileInfoHeader(info, "")
	if err != nil {
		return err
	}
	h.Name = dir
	h.Uid, h.Gid = owner(info)
	count := w.count
	err = w.entry(h)
	w.count = count // nothing is new
	return err
}

// mkdir makes a directory for WORKDIR, if it is not there.
func (w *writer) mkdir(dir string) error {
	name, err := resolve(w.under, dir)
	if err != nil {
		return err
	}
	return w.parents(name)
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
