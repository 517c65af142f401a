package image

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"runtime"
	"slices"
	"strings"

	specs "github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"lab/final/internal/layer"
)

// The limits of an archive.
const (
	maxArchive = 256 << 30 // bytes of all files
	maxFiles   = 100_000
	maxHops    = 10 // links that lead to a layer
)

// Load takes in the images of an archive, an image layout's or docker's, packed with gzip
// or zstd or not at all, and returns them with the names they came with. What it was given
// is closed.
func (s *Store) Load(r io.ReadCloser) ([]Saved, error) {
	release, err := s.Hold()
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	defer release()
	plain, err := layer.Decompress(r)
	if err != nil {
		return nil, fmt.Errorf("load images: %w", err)
	}
	defer plain.Close()
	l := &loading{
		store: s, documents: map[string][]byte{}, blobs: map[string]v1.Descriptor{},
		links: map[string]string{},
	}
	if err := l.read(tar.NewReader(plain)); err != nil {
		return nil, fmt.Errorf("load images: %w", err)
	}
	images, err := l.images()
	if err != nil {
		return nil, fmt.Errorf("load images: %w", err)
	}
	return images, nil
}

// loading is one call of Load. The files of an archive may come in any order, docker's
// list after the layers that it explains, so all go into the store first, as blobs; those
// that no image needs are collected some day.
type loading struct {
	store       *Store
	documents   map[string][]byte        // small files at the top, by name
	blobs       map[string]v1.Descriptor // all other files
	links       map[string]string        // docker once saved a layer twice by a link
	files, size int64
}

// read takes in all files.
func (l *loading) read(tr *tar.Reader) error {
	for {
		header, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: it is no archive of images: %w", ErrCorrupt, err)
		}
		l.files, l.size = l.files+1, l.size+max(header.Size, 0)
		if l.files > maxFiles || l.size > maxArchive {
			return fmt.Errorf("%w: it has more than %d files or %d bytes", ErrCorrupt, maxFiles,
				int64(maxArchive))
		}
		if err := l.file(path.Clean("/" + header.Name)[1:], header, tr); err != nil {
			return fmt.Errorf("%s: %w", header.Name, err)
		}
	}
}

// file takes in one file. Its name is only a key: nothing is written under it.
func (l *loading) file(name string, header *tar.Header, r io.Reader) error {
	switch {
	case header.Typeflag == tar.TypeSymlink:
		l.links[name] = path.Join(path.Dir(name), header.Linkname)
		return nil
	case header.Typeflag == tar.TypeLink:
		l.links[name] = path.Clean("/" + header.Linkname)[1:]
		return nil
	case header.Typeflag != tar.TypeReg:
		return nil
	case name == indexFile || name == dockerManifest || name == layoutFile:
		text, err := io.ReadAll(io.LimitReader(r, maxDocument))
		l.documents[name] = text
		return err
	}
	w, err := l.store.NewWriter()
	if err != nil {
		return err
	}
	defer w.Close()
	if _, err := io.Copy(w, r); err != nil {
		return err
	}
	d, err := w.Commit("")
	l.blobs[name] = v1.Descriptor{Digest: d, Size: w.size}
	return err
}

// images puts the images together that the archive's lists name.
func (l *loading) images() ([]Saved, error) {
	if text, ok := l.documents[indexFile]; ok {
		return l.layout(text)
	}
	if text, ok := l.documents[dockerManifest]; ok {
		return l.docker(text)
	}
	return nil, fmt.Errorf("%w: the archive has neither %s nor %s: mini import takes a root "+
		"file system", ErrCorrupt, indexFile, dockerManifest)
}

// layout adds the images of an image layout.
func (l *loading) layout(text []byte) ([]Saved, error) {
	var index v1.Index
	if err := json.Unmarshal(text, &index); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrCorrupt, indexFile, err)
	}
	var all []Saved
	for _, entry := range index.Manifests {
		manifest, err := l.choose(entry)
		if err != nil {
			return nil, err
		}
		names := namesOf(entry)
		img, err := l.store.Add(manifest, "", names...)
		if err != nil {
			return nil, err
		}
		all = appendImage(all, Saved{img, names})
	}
	return all, nil
}

// choose finds this machine's image where an entry is a list for several platforms.
func (l *loading) choose(entry v1.Descriptor) (v1.Descriptor, error) {
	if entry.MediaType != v1.MediaTypeImageIndex {
		return entry, nil
	}
	var list v1.Index
	if _, err := l.store.document(entry.Digest, &list); err != nil {
		return entry, err
	}
	i := slices.IndexFunc(list.Manifests, func(d v1.Descriptor) bool {
		return d.Platform != nil && d.Platform.OS == "linux" &&
			d.Platform.Architecture == runtime.GOARCH && l.store.Has(d.Digest)
	})
	if i < 0 {
		return entry, fmt.Errorf("%w: there is no image for linux/%s in it", ErrCorrupt,
			runtime.GOARCH)
	}
	return list.Manifests[i], nil
}

// namesOf reads the name of an entry. One that is only a tag names no image.
func namesOf(entry v1.Descriptor) []Reference {
	for _, text := range []string{entry.Annotations[dockerName], entry.Annotations[refName]} {
		ref, err := ParseReference(text)
		if err == nil && strings.ContainsAny(text, ":/") {
			return []Reference{ref}
		}
	}
	return nil
}

// appendImage appends an image, or adds its names to those of an earlier entry.
func appendImage(all []Saved, img Saved) []Saved {
	for i, other := range all {
		if other.Descriptor.Digest == img.Descriptor.Digest {
			all[i] = Saved{img.Image, append(other.As, img.As...)}
			return all
		}
	}
	return append(all, img)
}

// docker adds the images of docker's list.
func (l *loading) docker(text []byte) ([]Saved, error) {
	var list []dockerImage
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrCorrupt, dockerManifest, err)
	}
	var all []Saved
	for _, entry := range list {
		manifest, err := l.manifest(entry)
		if err != nil {
			return nil, err
		}
		var names []Reference
		for _, tag := range entry.RepoTags {
			ref, err := ParseReference(tag)
			if err != nil {
				return nil, err
			}
			names = append(names, ref)
		}
		img, err := l.store.Add(manifest, "", names...)
		if err != nil {
			return nil, err
		}
		all = appendImage(all, Saved{img, names})
	}
	return all, nil
}

// manifest makes the manifest of an image that docker described in its own way.
func (l *loading) manifest(entry dockerImage) (v1.Descriptor, error) {
	manifest := v1.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest,
		Layers: []v1.Descriptor{},
	}
	var err error
	if manifest.Config, err = l.find(entry.Config); err != nil {
		return v1.Descriptor{}, err
	}
	manifest.Config.MediaType = v1.MediaTypeImageConfig
	for _, name := range entry.Layers {
		d, err := l.find(name)
		if err != nil {
			return v1.Descriptor{}, err
		}
		if d.MediaType, err = l.mediaType(d); err != nil {
			return v1.Descriptor{}, err
		}
		manifest.Layers = append(manifest.Layers, d)
	}
	return l.store.putJSON(v1.MediaTypeImageManifest, manifest)
}

// find finds a file of the archive by its name.
func (l *loading) find(name string) (v1.Descriptor, error) {
	for range maxHops {
		if d, ok := l.blobs[name]; ok {
			return d, nil
		}
		target, ok := l.links[name]
		if !ok {
			break
		}
		name = target
	}
	return v1.Descriptor{}, fmt.Errorf("%w: the file %q is missing", ErrCorrupt, name)
}

// mediaType finds out how a layer is packed.
func (l *loading) mediaType(d v1.Descriptor) (string, error) {
	f, err := l.store.Blob(d.Digest)
	if err != nil {
		return "", err
	}
	defer f.Close()
	magic := make([]byte, 4)
	n, err := io.ReadFull(f, magic)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return "", err
	}
	switch {
	case bytes.HasPrefix(magic[:n], []byte{0x1f, 0x8b}):
		return v1.MediaTypeImageLayerGzip, nil
	case bytes.Equal(magic[:n], []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return v1.MediaTypeImageLayerZstd, nil
	}
	return v1.MediaTypeImageLayer, nil
}
