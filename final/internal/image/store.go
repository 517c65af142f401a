package image

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"

	"lab/final/internal/layer"
)

// Store is the images of one ROOT directory. It holds no state of its own: whatever
// another process changes is seen at the next call.
type Store struct {
	dir    string // ROOT/images
	layers *layer.Store
}

// The names in an image layout, and ours beside them.
const (
	layoutFile = "oci-layout"
	indexFile  = "index.json"
	blobsDir   = "blobs"
	ingestDir  = "ingest" // blobs that are not whole yet
	lockFile   = ".lock"  // held by whoever changes index.json
	useFile    = ".use"   // held shared by users, alone by Collect
)

// Open opens the store below root, and makes an empty one where there is none.
func Open(root string) (*Store, error) {
	s := &Store{
		dir:    filepath.Join(root, "images"),
		layers: layer.OpenStore(filepath.Join(root, "layers")),
	}
	if _, err := os.Stat(s.path(indexFile)); err == nil {
		return s, nil
	}
	if err := s.make(); err != nil {
		return nil, fmt.Errorf("open the images in %s: %w", root, err)
	}
	return s, nil
}

// make writes an empty image layout. Two processes that do so at once write the same.
func (s *Store) make() error {
	for _, dir := range []string{filepath.Join(blobsDir, "sha256"), ingestDir} {
		if err := os.MkdirAll(s.path(dir), 0o700); err != nil {
			return err
		}
	}
	layout := v1.ImageLayout{Version: v1.ImageLayoutVersion}
	if err := writeJSON(s.path(layoutFile), layout); err != nil {
		return err
	}
	return s.change(func(*v1.Index) error { return nil })
}

// path is a name within the layout.
func (s *Store) path(name string) string { return filepath.Join(s.dir, name) }

// Layers is where the unpacked layers are.
func (s *Store) Layers() *layer.Store { return s.layers }

// Hold keeps Collect from deleting until release is called. Whoever adds blobs holds the
// store until they are named, and whoever resolves an image until its use is on record.
func (s *Store) Hold() (release func(), err error) {
	f, err := lock(s.path(useFile), unix.LOCK_SH)
	if err != nil {
		return nil, err
	}
	return func() { _ = f.Close() }, nil // nothing was written to it
}

// Alone waits until nobody else holds the store, and keeps all from doing so until release
// is called.
func (s *Store) Alone() (release func(), err error) {
	f, err := lock(s.path(useFile), unix.LOCK_EX)
	if err != nil {
		return nil, err
	}
	return func() { _ = f.Close() }, nil // nothing was written to it
}

// lock opens and locks a file; closing it, or dying, unlocks.
func lock(path string, how int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(f.Fd()), how)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(&fs.PathError{Op: "flock", Path: path, Err: err}, f.Close())
	}
	return f, nil
}
