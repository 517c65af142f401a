package image

import (
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"

	"github.com/opencontainers/go-digest"
	specs "github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// madeFrom is the annotation that says what a built-in image was made from.
const madeFrom = "io.lab.mini.made-from"

// AddLayer takes in the tar that write writes, as it is: neither does packing cost time,
// nor does the digest depend on a compressor's version. The store must be held until the
// layer is part of an image.
func (s *Store) AddLayer(write func(io.Writer) error) (Layer, error) {
	w, err := s.NewWriter()
	if err != nil {
		return Layer{}, fmt.Errorf("add a layer: %w", err)
	}
	defer w.Close()
	if err := write(w); err != nil {
		return Layer{}, fmt.Errorf("add a layer: %w", err)
	}
	d, err := w.Commit("")
	if err != nil {
		return Layer{}, fmt.Errorf("add a layer: %w", err)
	}
	return Layer{
		Descriptor: v1.Descriptor{MediaType: v1.MediaTypeImageLayer, Digest: d, Size: w.size},
		DiffID:     d,
	}, nil
}

// Put makes an image of layers that are here, the lowest first, and gives it names. The
// layers' digests and, where they are missing, the platform are filled into the
// configuration. An image without a name is in the index, too. The store must be held.
func (s *Store) Put(config Config, layers []Layer, names ...Reference) (*Image, error) {
	return s.put(config, layers, names, nil)
}

// put is Put with further annotations of the entries in the index.
func (s *Store) put(config Config, layers []Layer, names []Reference,
	notes map[string]string,
) (*Image, error) {
	manifest := v1.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: v1.MediaTypeImageManifest,
		Layers:    []v1.Descriptor{},
	}
	config.RootFS = v1.RootFS{Type: "layers", DiffIDs: []digest.Digest{}}
	for _, l := range layers {
		manifest.Layers = append(manifest.Layers, l.Descriptor)
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, l.DiffID)
	}
	if config.Architecture == "" {
		config.Architecture, config.OS = runtime.GOARCH, "linux"
	}
	var err error
	manifest.Config, err = s.putJSON(v1.MediaTypeImageConfig, config)
	if err != nil {
		return nil, fmt.Errorf("write an image's configuration: %w", err)
	}
	d, err := s.putJSON(v1.MediaTypeImageManifest, manifest)
	if err != nil {
		return nil, fmt.Errorf("write an image's manifest: %w", err)
	}
	return s.add(d, names, notes)
}

// Add puts a manifest that is here with all its blobs into the index. remote is the digest
// that a registry knows it by, or empty.
func (s *Store) Add(manifest v1.Descriptor, remote digest.Digest, names ...Reference) (
	*Image, error,
) {
	notes := map[string]string{}
	if remote != "" {
		notes[remoteDigest] = remote.String()
	}
	return s.add(manifest, names, notes)
}

// add makes sure that the image is whole, and writes its names.
func (s *Store) add(manifest v1.Descriptor, names []Reference, notes map[string]string) (
	*Image, error,
) {
	img, err := s.read(manifest.Digest, &v1.Index{})
	if err != nil {
		return nil, fmt.Errorf("add image %s: %w", ShortID(manifest.Digest), err)
	}
	for _, l := range img.Manifest.Layers {
		if size, err := s.size(l.Digest); err != nil || size != l.Size {
			return nil, fmt.Errorf("add image %s: %w: layer %s is missing or not whole",
				ShortID(manifest.Digest), ErrCorrupt, l.Digest)
		}
	}
	err = s.change(func(index *v1.Index) error {
		if len(names) == 0 && !inIndex(index, manifest.Digest) {
			name(index, img.Descriptor, nil)
		}
		for _, ref := range names {
			mine := map[string]string{refName: ref.String()}
			maps.Copy(mine, notes)
			name(index, img.Descriptor, mine)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("name image %s: %w", ShortID(manifest.Digest), err)
	}
	return s.Get(manifest.Digest)
}

// inIndex reports whether the index has an entry of a manifest.
func inIndex(index *v1.Index, d digest.Digest) bool {
	for _, entry := range index.Manifests {
		if entry.Digest == d {
			return true
		}
	}
	return false
}

// Tag gives an image one more name; an image that had it loses it.
func (s *Store) Tag(img *Image, ref Reference) error {
	if ref.Digest != "" {
		return fmt.Errorf("tag %s: %w %q: a digest cannot be given", img.Title(), ErrReference,
			ref.Familiar())
	}
	release, err := s.Hold()
	if err != nil {
		return err
	}
	defer release()
	_, err = s.Add(img.Descriptor, "", ref)
	return err
}

// Builtin returns the image of that name, and makes it if it is not there or was made from
// something else: stamp tells what from. The layer is written by write.
func (s *Store) Builtin(ref Reference, stamp string, config Config,
	write func(io.Writer) error,
) (*Image, error) {
	release, err := s.Hold()
	if err != nil {
		return nil, err
	}
	defer release()
	img, err := s.Resolve(ref.String())
	if err == nil && img.isMadeFrom(ref, stamp) {
		return img, nil
	}
	l, err := s.AddLayer(write)
	if err != nil {
		return nil, err
	}
	return s.put(config, []Layer{l}, []Reference{ref}, map[string]string{madeFrom: stamp})
}

// isMadeFrom reports whether a built-in image is the one that stamp stands for.
func (i *Image) isMadeFrom(ref Reference, stamp string) bool {
	index, err := i.store.index()
	if err != nil {
		return false
	}
	return slices.ContainsFunc(index.Manifests, func(d v1.Descriptor) bool {
		return d.Annotations[refName] == ref.String() && d.Annotations[madeFrom] == stamp
	})
}
