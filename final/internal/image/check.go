package image

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Problem is something in the store that is not as it should be.
type Problem struct {
	What string
	Mend func() error // nil where nothing helps but to get the image again
}

// Check looks for images that are damaged, and for what no image needs. All blobs are
// read. The caller is alone with the store.
func (s *Store) Check() (all []Problem, err error) {
	index, err := s.index()
	if err != nil {
		return nil, err
	}
	for _, entry := range index.Manifests {
		if _, err := s.read(entry.Digest, index); err != nil {
			all = append(all, Problem{
				What: fmt.Sprintf("image %s cannot be used: %v", titleOf(entry), err),
				Mend: func() error { return s.forget(entry.Digest) },
			})
		}
	}
	blobs, layers, err := s.needed()
	if err != nil {
		return nil, err
	}
	all = append(all, s.checkBlobs(blobs)...)
	left, err := s.leftovers(blobs, layers)
	if err != nil {
		return nil, err
	}
	for _, what := range left {
		all = append(all, Problem{What: what, Mend: s.sweepAll})
	}
	return all, nil
}

// titleOf is what an entry of the index is called.
func titleOf(entry v1.Descriptor) string {
	if ref, err := ParseReference(entry.Annotations[refName]); err == nil {
		return ref.Familiar()
	}
	return ShortID(entry.Digest)
}

// forget takes a manifest out of the index.
func (s *Store) forget(manifest digest.Digest) error {
	return s.change(func(index *v1.Index) error {
		index.Manifests = slices.DeleteFunc(index.Manifests, func(d v1.Descriptor) bool {
			return d.Digest == manifest
		})
		return nil
	})
}

// checkBlobs reads the blobs that images need. A damaged one is removed, so that it is
// fetched when the image is pulled once more.
func (s *Store) checkBlobs(needed map[digest.Digest]bool) (all []Problem) {
	for d := range needed {
		if d.Validate() != nil {
			continue // the image that says so cannot be used, which was told
		}
		f, err := s.Blob(d)
		if errors.Is(err, ErrCorrupt) {
			all = append(all, Problem{What: "blob " + ShortID(d) + " of an image is missing: " +
				"pull or load the image once more"})
			continue
		}
		var sum digest.Digest
		if err == nil {
			sum, err = d.Algorithm().FromReader(io.Reader(f))
			err = errors.Join(err, f.Close())
		}
		if err == nil && sum != d {
			err = &DigestError{Want: d, Got: sum}
		}
		if err != nil {
			all = append(all, Problem{
				What: fmt.Sprintf("blob %s: %v", ShortID(d), err),
				Mend: func() error { return os.Remove(s.blobPath(d)) },
			})
		}
	}
	return all
}

// leftovers are what no image needs, and what interrupted commands have left.
func (s *Store) leftovers(blobs, layers map[digest.Digest]bool) (left []string, err error) {
	found, err := filepath.Glob(s.path(filepath.Join(blobsDir, "*", "*")))
	if err != nil {
		return nil, err
	}
	for _, path := range found {
		algorithm := digest.Algorithm(filepath.Base(filepath.Dir(path)))
		d := digest.NewDigestFromEncoded(algorithm, filepath.Base(path))
		if !blobs[d] {
			left = append(left, "blob "+ShortID(d)+" is of no image")
		}
	}
	unneeded, err := s.layers.Unneeded(layers)
	if err != nil {
		return nil, err
	}
	for _, name := range unneeded {
		left = append(left, fmt.Sprintf("the unpacked layer %.20s is of no image", name))
	}
	halves, err := s.halves()
	for _, path := range halves {
		left = append(left, path+" was never finished")
	}
	return left, err
}

// halves are files that interrupted commands did not finish to write.
func (s *Store) halves() (all []string, err error) {
	for _, pattern := range []string{
		filepath.Join(ingestDir, "*"), ".new-*", filepath.Join(blobsDir, "*", ".new-*"),
	} {
		found, err := filepath.Glob(s.path(pattern))
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// sweepAll removes all leftovers.
func (s *Store) sweepAll() error {
	_, err := s.collect(nil)
	halves, halvesErr := s.halves()
	err = errors.Join(err, halvesErr)
	for _, path := range halves {
		if gone := os.Remove(path); !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	return err
}
