package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"

	ggcr "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Source is an image to bring to a registry.
type Source struct {
	Manifest v1.Descriptor
	Open     func(d digest.Digest) (io.ReadCloser, error) // a blob, the manifest too
}

// Push brings an image to a registry, under its whole name there. The manifest comes last,
// so that nobody finds half an image.
func (c *Client) Push(ctx context.Context, text string, from Source) error {
	ref, err := c.reference(text)
	if err != nil {
		return err
	}
	img, err := c.outgoing(from)
	if err != nil {
		return fmt.Errorf("push %s: %w", text, err)
	}
	whole, err := partial.CompressedToImage(img)
	if err != nil {
		return fmt.Errorf("push %s: %w", text, err)
	}
	if err := remote.Write(ref, whole, c.options(ctx)...); err != nil {
		return fmt.Errorf("push %s: %w", text, explain(ref.Context().RegistryStr(), err))
	}
	img.finish()
	return nil
}

// outgoing is an image as the library wants to have it.
type outgoing struct {
	client   *Client
	from     Source
	manifest v1.Manifest
	text     []byte

	mu     sync.Mutex
	opened map[digest.Digest]bool // the layers that had to travel
}

// outgoing reads the manifest of what is to travel.
func (c *Client) outgoing(from Source) (*outgoing, error) {
	o := &outgoing{client: c, from: from, opened: map[digest.Digest]bool{}}
	var err error
	if o.text, err = o.read(from.Manifest.Digest); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(o.text, &o.manifest); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrManifest, err)
	}
	for _, d := range o.manifest.Layers {
		c.report(Progress{Layer: d.Digest, Total: d.Size})
	}
	return o, nil
}

// read reads a small blob.
func (o *outgoing) read(d digest.Digest) ([]byte, error) {
	r, err := o.from.Open(d)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// finish tells of the layers that the registry had.
func (o *outgoing) finish() {
	for _, d := range o.manifest.Layers {
		state := There
		if o.opened[d.Digest] {
			state = Finished
		}
		o.client.report(Progress{Layer: d.Digest, Done: d.Size, Total: d.Size, State: state})
	}
}

// MediaType is the manifest's.
func (o *outgoing) MediaType() (types.MediaType, error) {
	return types.MediaType(o.from.Manifest.MediaType), nil
}

// RawManifest is the manifest.
func (o *outgoing) RawManifest() ([]byte, error) { return o.text, nil }

// RawConfigFile is the configuration.
func (o *outgoing) RawConfigFile() ([]byte, error) { return o.read(o.manifest.Config.Digest) }

// LayerByDigest finds a layer.
func (o *outgoing) LayerByDigest(h ggcr.Hash) (partial.CompressedLayer, error) {
	for _, d := range append(o.manifest.Layers, o.manifest.Config) {
		if d.Digest.String() == h.String() {
			return &outgoingLayer{o, d, h}, nil
		}
	}
	return nil, fmt.Errorf("%w: no layer %s", ErrManifest, h)
}

// outgoingLayer is one layer of it.
type outgoingLayer struct {
	image *outgoing
	about v1.Descriptor
	hash  ggcr.Hash
}

// Digest is the layer's.
func (l *outgoingLayer) Digest() (ggcr.Hash, error) { return l.hash, nil }

// Size is how many bytes travel.
func (l *outgoingLayer) Size() (int64, error) { return l.about.Size, nil }

// MediaType is the layer's.
func (l *outgoingLayer) MediaType() (types.MediaType, error) {
	return types.MediaType(l.about.MediaType), nil
}

// Compressed opens the layer, and tells how far it has been read.
func (l *outgoingLayer) Compressed() (io.ReadCloser, error) {
	r, err := l.image.from.Open(l.about.Digest)
	if err != nil {
		return nil, err
	}
	l.image.mu.Lock()
	l.image.opened[l.about.Digest] = true
	l.image.mu.Unlock()
	count := func(n int64) {
		l.image.client.report(Progress{
			Layer: l.about.Digest, Done: n, Total: l.about.Size, State: Travelling,
		})
	}
	return struct {
		io.Reader
		io.Closer
	}{&counter{Reader: r, count: count}, r}, nil
}
