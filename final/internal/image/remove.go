package image

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"
)

// Untag takes a name from its image. The image stays, nameless if that was its last.
func (s *Store) Untag(ref Reference) error {
	return s.change(func(index *v1.Index) error {
		if !unname(index, ref) {
			return &NotFoundError{Name: ref.Familiar()}
		}
		return nil
	})
}

// Freed is what Collect deleted.
type Freed struct {
	Images []*Image
	Blobs  []digest.Digest
	Layers []digest.Digest
	Bytes  int64 // of the blobs
	Later  bool  // others are at work: nothing was deleted, nor are images gone
}

// Collect removes the images that drop wants to be removed, and then deletes the blobs and
// unpacked layers that neither an image nor a remembered step needs. drop is called when
// nobody can begin to use an image any more, so it can find out whether somebody does. It
// may be nil.
func (s *Store) Collect(drop func(*Image) (bool, error)) (freed Freed, err error) {
	f, err := lock(s.path(useFile), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return Freed{Later: true}, nil
	}
	if err != nil {
		return freed, err
	}
	defer f.Close()
	return s.collect(drop)
}

// collect is Collect for who is alone with the store.
func (s *Store) collect(drop func(*Image) (bool, error)) (freed Freed, err error) {
	if freed.Images, err = s.drop(drop); err != nil {
		return freed, err
	}
	blobs, layers, err := s.needed()
	if err != nil {
		return freed, err
	}
	if err := s.sweepIngest(); err != nil {
		return freed, err
	}
	if err := s.sweepBlobs(blobs, &freed); err != nil {
		return freed, err
	}
	freed.Layers, err = s.layers.Sweep(layers)
	return freed, err
}

// drop takes images out of the index.
func (s *Store) drop(drop func(*Image) (bool, error)) (gone []*Image, err error) {
	if drop == nil {
		return nil, nil
	}
	all, err := s.List()
	if err != nil {
		return nil, err
	}
	for _, img := range all {
		ok, err := drop(img)
		if err != nil {
			return nil, err
		}
		if ok {
			gone = append(gone, img)
		}
	}
	return gone, s.change(func(index *v1.Index) error {
		index.Manifests = slices.DeleteFunc(index.Manifests, func(d v1.Descriptor) bool {
			return slices.ContainsFunc(gone, func(img *Image) bool {
				return img.Descriptor.Digest == d.Digest
			})
		})
		return nil
	})
}

// needed is which blobs and layers the images of the index consist of, and those of steps.
func (s *Store) needed() (blobs, layers map[digest.Digest]bool, err error) {
	index, err := s.index()
	if err != nil {
		return nil, nil, err
	}
	blobs, layers = map[digest.Digest]bool{}, map[digest.Digest]bool{}
	for _, entry := range index.Manifests {
		s.mark(entry.Digest, blobs, layers)
	}
	return blobs, layers, s.markSteps(blobs, layers)
}

// mark notes what one manifest needs. What cannot be read needs nothing that could be
// found, and is itself kept for Check to tell of.
func (s *Store) mark(manifest digest.Digest, blobs, layers map[digest.Digest]bool) {
	blobs[manifest] = true
	var m struct {
		v1.Manifest
		Manifests []v1.Descriptor `json:"manifests"`
	}
	if _, err := s.document(manifest, &m); err != nil {
		return
	}
	for _, d := range m.Manifests { // another tool may have put a list here
		if !blobs[d.Digest] {
			s.mark(d.Digest, blobs, layers)
		}
	}
	for _, d := range append(m.Layers, m.Config) {
		blobs[d.Digest] = true
	}
	var config Config
	if _, err := s.document(m.Config.Digest, &config); err == nil {
		for _, d := range config.RootFS.DiffIDs {
			layers[d] = true
		}
	}
}

// sweepIngest deletes what interrupted writers left.
func (s *Store) sweepIngest() error {
	entries, err := os.ReadDir(s.path(ingestDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(s.path(ingestDir), e.Name())); err != nil {
			return err
		}
	}
	return os.MkdirAll(s.path(ingestDir), 0o700)
}

// sweepBlobs deletes the blobs that are not needed.
func (s *Store) sweepBlobs(needed map[digest.Digest]bool, freed *Freed) error {
	algorithms, err := os.ReadDir(s.path(blobsDir))
	if err != nil {
		return err
	}
	for _, algorithm := range algorithms {
		dir := filepath.Join(s.path(blobsDir), algorithm.Name())
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			d := digest.NewDigestFromEncoded(digest.Algorithm(algorithm.Name()), e.Name())
			info, err := e.Info()
			if needed[d] || err != nil {
				continue
			}
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
			freed.Blobs = append(freed.Blobs, d)
			freed.Bytes += info.Size()
		}
	}
	return nil
}
