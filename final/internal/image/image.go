package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"lab/final/internal/layer"
)

// Image is an image that is here: its documents, and the names it had when it was looked
// for. Do not change it.
type Image struct {
	Descriptor v1.Descriptor // of its manifest
	Manifest   v1.Manifest
	Config     Config
	Names      []Reference // with tag or digest
	Remote     []Reference // the digests under which registries gave it

	store *Store
	notes map[string]string
}

// Layer is a packed layer and the digest of its tar.
type Layer struct {
	v1.Descriptor
	DiffID digest.Digest
}

// ID is the digest of the configuration: equal content has the same, however it is packed.
func (i *Image) ID() digest.Digest { return i.Manifest.Config.Digest }

// Layers are the image's layers, the lowest first.
func (i *Image) Layers() []Layer {
	all := make([]Layer, len(i.Manifest.Layers))
	for n, d := range i.Manifest.Layers {
		all[n] = Layer{Descriptor: d, DiffID: i.Config.RootFS.DiffIDs[n]}
	}
	return all
}

// Size is how many bytes the packed layers have.
func (i *Image) Size() (size int64) {
	for _, d := range i.Manifest.Layers {
		size += d.Size
	}
	return size
}

// parallel is how many layers are unpacked at once.
const parallel = 4

// Lower returns the directories of the image's layers for overlay's lowerdir, the topmost
// first, and unpacks those that are not there yet. The store must be held.
func (i *Image) Lower(ctx context.Context) ([]string, error) {
	layers := i.Layers()
	dirs := make([]string, len(layers))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for n, l := range layers {
		group.Go(func() (err error) {
			dirs[len(layers)-1-n], err = i.store.Unpack(ctx, l)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("unpack image %s: %w", i.Title(), err)
	}
	return dirs, nil
}

// Unpack returns the directory of a layer, which is made if it is not there.
func (s *Store) Unpack(ctx context.Context, l Layer) (string, error) {
	return s.layers.Unpack(ctx, l.DiffID, func() (io.ReadCloser, error) { return s.Tar(l) })
}

// Tar opens a layer as a tar, unpacked from what it is packed with.
func (s *Store) Tar(l Layer) (io.ReadCloser, error) {
	f, err := s.Blob(l.Digest)
	if err != nil {
		return nil, err
	}
	return layer.Decompress(f)
}

// Title is the image's first name, else its ID.
func (i *Image) Title() string {
	if len(i.Names) > 0 {
		return i.Names[0].Familiar()
	}
	return ShortID(i.ID())
}

// ShortID is the beginning of a digest, as lists show it.
func ShortID(d digest.Digest) string {
	_, hex, _ := strings.Cut(d.String(), ":")
	return hex[:min(12, len(hex))]
}

// List returns all images, in the order in which they were named first. One that cannot be
// read is left out, and told of by Check.
func (s *Store) List() ([]*Image, error) {
	index, err := s.index()
	if err != nil {
		return nil, fmt.Errorf("list the images: %w", err)
	}
	var all []*Image
	seen := map[digest.Digest]bool{}
	for _, entry := range index.Manifests {
		if seen[entry.Digest] {
			continue
		}
		seen[entry.Digest] = true
		if img, err := s.read(entry.Digest, index); err == nil {
			all = append(all, img)
		}
	}
	return all, nil
}

// Get reads an image by the digest of its manifest.
func (s *Store) Get(manifest digest.Digest) (*Image, error) {
	index, err := s.index()
	if err != nil {
		return nil, err
	}
	img, err := s.read(manifest, index)
	if err != nil {
		return nil, fmt.Errorf("read image %s: %w", ShortID(manifest), err)
	}
	return img, nil
}

// read reads an image's documents, and its names out of the index.
func (s *Store) read(manifest digest.Digest, index *v1.Index) (*Image, error) {
	img := &Image{store: s}
	text, err := s.document(manifest, &img.Manifest)
	if err != nil {
		return nil, err
	}
	img.Descriptor = v1.Descriptor{
		MediaType: img.Manifest.MediaType, Digest: manifest, Size: int64(len(text)),
	}
	if img.Descriptor.MediaType == "" {
		img.Descriptor.MediaType = v1.MediaTypeImageManifest
	}
	if _, err := s.document(img.Manifest.Config.Digest, &img.Config); err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	if m, c := len(img.Manifest.Layers), len(img.Config.RootFS.DiffIDs); m != c {
		return nil, fmt.Errorf("%w: its manifest has %d layers, its configuration %d",
			ErrCorrupt, m, c)
	}
	for _, entry := range index.Manifests {
		if entry.Digest == manifest {
			img.addName(entry.Annotations)
		}
	}
	return img, nil
}

// addName takes in what one entry of the index says.
func (i *Image) addName(notes map[string]string) {
	name, err := ParseReference(notes[refName])
	if err != nil {
		return // no name, or one that another tool gave it
	}
	i.notes = notes
	i.Names = append(i.Names, name)
	if d, err := digest.Parse(notes[remoteDigest]); err == nil {
		name.Tag, name.Digest = "", d
		if !slices.Contains(i.Remote, name) {
			i.Remote = append(i.Remote, name)
		}
	}
}

// Resolve finds an image by its name, by name and digest, by its ID, or by the beginning
// of that.
func (s *Store) Resolve(text string) (*Image, error) {
	index, err := s.index()
	if err != nil {
		return nil, fmt.Errorf("look for image %q: %w", text, err)
	}
	ref, refErr := ParseReference(text)
	if refErr == nil {
		if d, found := findName(index, ref); found {
			return s.found(text, d, index)
		}
	}
	d, err := s.findID(index, text)
	if errors.Is(err, fs.ErrNotExist) && refErr != nil {
		return nil, refErr
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &NotFoundError{Name: text}
	}
	if err != nil {
		return nil, err
	}
	return s.found(text, d, index)
}

// found reads the image that a name led to.
func (s *Store) found(text string, d digest.Digest, index *v1.Index) (*Image, error) {
	img, err := s.read(d, index)
	if err != nil {
		return nil, fmt.Errorf("image %q: %w", text, err)
	}
	return img, nil
}

// findName looks a reference up. One with a digest may stand for what a registry gave
// under that digest, whatever tag it had.
func findName(index *v1.Index, ref Reference) (digest.Digest, bool) {
	for _, entry := range index.Manifests {
		other, err := ParseReference(entry.Annotations[refName])
		if err != nil {
			continue
		}
		if other == ref {
			return entry.Digest, true
		}
		if ref.Digest == "" {
			continue
		}
		same := other.Name() == ref.Name()
		remote := entry.Annotations[remoteDigest]
		if same && (entry.Digest == ref.Digest || remote == ref.Digest.String()) {
			return entry.Digest, true
		}
	}
	return "", false
}

// findID looks for an ID or a manifest's digest that begins so. fs.ErrNotExist means that
// there is none.
func (s *Store) findID(index *v1.Index, text string) (digest.Digest, error) {
	prefix := strings.TrimPrefix(text, "sha256:")
	if !isHex(prefix) || len(prefix) > 64 {
		return "", fs.ErrNotExist
	}
	found := map[digest.Digest]digest.Digest{} // manifests by IDs
	for _, entry := range index.Manifests {
		var manifest v1.Manifest
		if _, err := s.document(entry.Digest, &manifest); err != nil {
			continue
		}
		id := manifest.Config.Digest
		if strings.HasPrefix(id.Encoded(), prefix) ||
			strings.HasPrefix(entry.Digest.Encoded(), prefix) {
			found[id] = entry.Digest
		}
	}
	if len(found) > 1 {
		return "", fmt.Errorf("look for image %q: %w", text, ErrAmbiguous)
	}
	for _, manifest := range found {
		return manifest, nil
	}
	return "", fs.ErrNotExist
}
