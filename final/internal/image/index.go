package image

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"

	specs "github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"
)

// The index is one file:
//
//	{"schemaVersion": 2, "manifests": [
//	  {"mediaType": "application/vnd.oci.image.manifest.v1+json",
//	   "digest": "sha256:4bf5…", "size": 403,
//	   "annotations": {"org.opencontainers.image.ref.name": "localhost:5000/web:1"}}]}
//
// An image with two names is in it twice, one that lost its last name once, without one.

// refName is the annotation that holds a name.
const refName = v1.AnnotationRefName

// remoteDigest is the annotation that holds the digest under which a registry gave an
// image: that of a list, where it offers the image for several platforms.
const remoteDigest = "io.lab.mini.remote-digest"

// index reads the index. It is replaced as a whole, so no lock is needed.
func (s *Store) index() (*v1.Index, error) {
	text, err := os.ReadFile(s.path(indexFile))
	if err != nil {
		return nil, err
	}
	var index v1.Index
	if err := json.Unmarshal(text, &index); err != nil {
		return nil, fmt.Errorf("%w: read %s: %w", ErrCorrupt, s.path(indexFile), err)
	}
	return &index, nil
}

// change reads the index, has it edited, and writes it, one process at a time.
func (s *Store) change(edit func(*v1.Index) error) error {
	f, err := lock(s.path(lockFile), unix.LOCK_EX)
	if err != nil {
		return err
	}
	defer f.Close()
	index := &v1.Index{Versioned: specs.Versioned{SchemaVersion: 2}}
	if _, err := os.Stat(s.path(indexFile)); err == nil {
		if index, err = s.index(); err != nil {
			return err
		}
	}
	if index.Manifests == nil {
		index.Manifests = []v1.Descriptor{} // the specification wants a list
	}
	before := slices.Clone(index.Manifests)
	if err := edit(index); err != nil {
		return err
	}
	if len(before) > 0 && slices.EqualFunc(before, index.Manifests, sameEntry) {
		return nil
	}
	return writeJSON(s.path(indexFile), index)
}

// sameEntry reports whether two entries of the index say the same.
func sameEntry(a, b v1.Descriptor) bool {
	return a.Digest == b.Digest && a.Annotations[refName] == b.Annotations[refName] &&
		a.Annotations[remoteDigest] == b.Annotations[remoteDigest] &&
		a.Annotations[madeFrom] == b.Annotations[madeFrom]
}

// name gives a manifest a name; what had the name before loses it.
func name(index *v1.Index, manifest v1.Descriptor, notes map[string]string) {
	if ref, err := ParseReference(notes[refName]); err == nil {
		unname(index, ref)
	}
	index.Manifests = slices.DeleteFunc(index.Manifests, func(d v1.Descriptor) bool {
		return d.Digest == manifest.Digest && d.Annotations[refName] == ""
	})
	entry := v1.Descriptor{
		MediaType: manifest.MediaType, Digest: manifest.Digest, Size: manifest.Size,
		Annotations: notes,
	}
	if entry.MediaType == "" {
		entry.MediaType = v1.MediaTypeImageManifest
	}
	index.Manifests = append(index.Manifests, entry)
}

// unname takes a name away. An image that had no other stays in the index without one,
// until it is removed or pruned. It reports whether the name was there.
func unname(index *v1.Index, ref Reference) bool {
	i := slices.IndexFunc(index.Manifests, func(d v1.Descriptor) bool {
		// Another tool may have written a short name.
		other, err := ParseReference(d.Annotations[refName])
		return err == nil && other == ref
	})
	if i < 0 {
		return false
	}
	entry := index.Manifests[i]
	index.Manifests = slices.Delete(index.Manifests, i, i+1)
	if !slices.ContainsFunc(index.Manifests, func(d v1.Descriptor) bool {
		return d.Digest == entry.Digest
	}) {
		entry.Annotations = nil
		index.Manifests = append(index.Manifests, entry)
	}
	return true
}
