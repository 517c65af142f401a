package build

import (
	"archive/tar"
	"bufio"
	"errors"
	"io"
	"path"

	"lab/final/internal/layer"
)

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
