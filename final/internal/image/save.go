package image

import (
	"archive/tar"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"
	specs "github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// An archive of images is a tar with an image layout in it. It also has docker's own list
// of what is in it, so that docker and podman load it as theirs:
//
//	oci-layout
//	index.json
//	manifest.json    [{"Config": "blobs/sha256/…", "RepoTags": ["web:1"], "Layers": […]}]
//	blobs/sha256/…
const dockerManifest = "manifest.json"

// dockerName is the annotation where docker looks for the whole name.
const dockerName = "io.containerd.image.name"

// dockerImage is an entry of docker's list.
type dockerImage struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// Saved is an image to save, and the names under which it is to be found.
type Saved struct {
	*Image
	As []Reference
}

// Save writes images as an archive. The same images always give the same bytes. The store
// must be held.
func (s *Store) Save(w io.Writer, images []Saved) error {
	index := v1.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageIndex,
		Manifests: []v1.Descriptor{},
	}
	docker := []dockerImage{}
	blobs := map[digest.Digest]bool{}
	for _, img := range images {
		index.Manifests = append(index.Manifests, img.entries()...)
		docker = append(docker, img.docker())
		for _, d := range append(img.Manifest.Layers, img.Manifest.Config, img.Descriptor) {
			blobs[d.Digest] = true
		}
	}
	a := &archive{tar.NewWriter(w)}
	layout := v1.ImageLayout{Version: v1.ImageLayoutVersion}
	for _, document := range []struct {
		name string
		v    any
	}{{layoutFile, layout}, {indexFile, index}, {dockerManifest, docker}} {
		if err := a.document(document.name, document.v); err != nil {
			return err
		}
	}
	for _, d := range slices.Sorted(maps.Keys(blobs)) {
		if err := a.blob(s, d); err != nil {
			return fmt.Errorf("save blob %s: %w", d, err)
		}
	}
	return a.Close()
}

// entries are what the index of an archive says of an image.
func (s Saved) entries() []v1.Descriptor {
	if len(s.As) == 0 {
		return []v1.Descriptor{s.Descriptor}
	}
	var all []v1.Descriptor
	for _, ref := range s.As {
		d := s.Descriptor
		d.Annotations = map[string]string{refName: ref.String(), dockerName: ref.String()}
		all = append(all, d)
	}
	return all
}

// docker is what docker's list says of an image.
func (s Saved) docker() dockerImage {
	entry := dockerImage{Config: archived(s.Manifest.Config.Digest), RepoTags: []string{}}
	for _, ref := range s.As {
		if ref.Digest == "" {
			entry.RepoTags = append(entry.RepoTags, ref.Familiar())
		}
	}
	for _, d := range s.Manifest.Layers {
		entry.Layers = append(entry.Layers, archived(d.Digest))
	}
	return entry
}

// archived is where a blob is in an archive.
func archived(d digest.Digest) string {
	return path.Join(blobsDir, d.Algorithm().String(), d.Encoded())
}

// archive is a tar that is being written.
type archive struct{ *tar.Writer }

// file begins a file.
func (a *archive) file(name string, size int64) error {
	return a.WriteHeader(&tar.Header{
		Name: name, Size: size, Mode: 0o644, ModTime: time.Unix(0, 0),
	})
}

// document writes a file of JSON.
func (a *archive) document(name string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := a.file(name, int64(len(text))); err != nil {
		return err
	}
	_, err = a.Write(text)
	return err
}

// blob writes a blob.
func (a *archive) blob(s *Store, d digest.Digest) error {
	f, err := s.Blob(d)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := a.file(archived(d), info.Size()); err != nil {
		return err
	}
	_, err = io.Copy(a, f)
	return err
}
