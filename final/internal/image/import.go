package image

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"

	"lab/final/internal/layer"
)

// Import makes an image with one layer of a tar of a root file system, packed or not. What
// it was given is closed.
func (s *Store) Import(r io.ReadCloser, config Config, names ...Reference) (*Image, error) {
	release, err := s.Hold()
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	defer release()
	plain, err := layer.Decompress(r)
	if err != nil {
		return nil, fmt.Errorf("import: %w", err)
	}
	defer plain.Close()
	l, err := s.AddLayer(func(w io.Writer) error { return copyTar(w, plain) })
	if err != nil {
		return nil, fmt.Errorf("import: %w", err)
	}
	return s.Put(config, []Layer{l}, names...)
}

// copyTar copies a tar, and makes sure that it is one.
func copyTar(w io.Writer, r io.Reader) error {
	both := io.TeeReader(r, w)
	tr := tar.NewReader(both)
	entries := 0
	for {
		_, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("%w: it is no tar: %w", ErrCorrupt, err)
		}
		entries++
	}
	if entries == 0 {
		return fmt.Errorf("%w: there is nothing in it", ErrCorrupt)
	}
	_, err := io.Copy(io.Discard, both)
	return err
}
