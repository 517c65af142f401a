package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"
)

// Destination is where what is fetched goes to. Ingest must refuse what has not the size
// and digest that the descriptor promises.
type Destination interface {
	Has(d digest.Digest) bool
	Ingest(want v1.Descriptor, r io.Reader) error
}

// Pulled is what was fetched.
type Pulled struct {
	Manifest v1.Descriptor // of the platform's image
	Remote   digest.Digest // of what the name stands for, a list perhaps
}

// maxLayers is how many layers an image may have: more cannot be mounted.
const maxLayers = 500

// Pull fetches an image by its whole name: its layers, its configuration, then the
// manifest. What the destination has is not fetched again.
func (c *Client) Pull(ctx context.Context, text string, to Destination) (Pulled, error) {
	ref, err := c.reference(text)
	if err != nil {
		return Pulled{}, err
	}
	puller, err := remote.NewPuller(c.options(ctx)...)
	if err != nil {
		return Pulled{}, fmt.Errorf("pull %s: %w", text, err)
	}
	p := &pull{client: c, puller: puller, repository: ref.Context(), to: to}
	pulled, err := p.run(ctx, ref)
	if err != nil {
		return Pulled{}, fmt.Errorf("pull %s: %w", text, err)
	}
	return pulled, nil
}

// pull is one call of Pull.
type pull struct {
	client     *Client
	puller     *remote.Puller
	repository name.Repository
	to         Destination
}

// host is the registry's name.
func (p *pull) host() string { return p.repository.RegistryStr() }

// run fetches everything.
func (p *pull) run(ctx context.Context, ref name.Reference) (Pulled, error) {
	root, err := p.puller.Get(ctx, ref)
	if err != nil {
		return Pulled{}, explain(p.host(), err)
	}
	// The library has compared the digest with the one in ref, if there is any.
	pulled := Pulled{Remote: digest.Digest(root.Digest.String())}
	text, mediaType := root.Manifest, string(root.MediaType)
	if isList(mediaType) {
		if text, mediaType, err = p.choose(ctx, text); err != nil {
			return Pulled{}, err
		}
	}
	if err := p.image(ctx, text); err != nil {
		return Pulled{}, err
	}
	pulled.Manifest = v1.Descriptor{
		MediaType: mediaType, Digest: digest.FromBytes(text), Size: int64(len(text)),
	}
	return pulled, p.to.Ingest(pulled.Manifest, bytes.NewReader(text))
}

// isList reports whether a document lists the images of several platforms.
func isList(mediaType string) bool {
	return mediaType == v1.MediaTypeImageIndex ||
		mediaType == "application/vnd.docker.distribution.manifest.list.v2+json"
}

// choose fetches the manifest of the platform that is wanted.
func (p *pull) choose(ctx context.Context, list []byte) (manifest []byte, mediaType string,
	err error,
) {
	var index v1.Index
	if err := json.Unmarshal(list, &index); err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrManifest, err)
	}
	want := p.client.platform()
	i := slices.IndexFunc(index.Manifests, func(d v1.Descriptor) bool {
		return d.Platform != nil && fits(*d.Platform, want)
	})
	if i < 0 {
		return nil, "", fmt.Errorf("%w: wanted is %s, offered %s", ErrPlatform,
			PlatformString(want), offered(index))
	}
	d := index.Manifests[i]
	if err := d.Digest.Validate(); err != nil {
		return nil, "", fmt.Errorf("%w: digest %q", ErrManifest, d.Digest)
	}
	// A list in a list has no end.
	if isList(d.MediaType) {
		return nil, "", fmt.Errorf("%w: a list in a list", ErrManifest)
	}
	got, err := p.puller.Get(ctx, p.repository.Digest(d.Digest.String()))
	if err != nil {
		return nil, "", explain(p.host(), err)
	}
	return got.Manifest, string(got.MediaType), nil
}

// platform is the wanted one.
func (c *Client) platform() v1.Platform {
	p := c.Platform
	if p.OS == "" {
		p.OS = "linux"
	}
	if p.Architecture == "" {
		p.Architecture = runtime.GOARCH
	}
	return p
}

// fits reports whether an image for one platform is right for another. A variant that is
// not asked for may be any.
func fits(have, want v1.Platform) bool {
	return have.OS == want.OS && have.Architecture == want.Architecture &&
		(want.Variant == "" || have.Variant == want.Variant)
}

// PlatformString writes a platform as people do: linux/arm64/v8.
func PlatformString(p v1.Platform) string {
	return strings.TrimSuffix(p.OS+"/"+p.Architecture+"/"+p.Variant, "/")
}

// offered lists the platforms of an index.
func offered(index v1.Index) string {
	var all []string
	for _, d := range index.Manifests {
		if d.Platform != nil && d.Platform.OS != "unknown" {
			all = append(all, PlatformString(*d.Platform))
		}
	}
	if len(all) == 0 {
		return "is none"
	}
	return strings.Join(all, ", ")
}

// image fetches the layers and the configuration that a manifest names.
func (p *pull) image(ctx context.Context, text []byte) error {
	var manifest v1.Manifest
	if err := json.Unmarshal(text, &manifest); err != nil {
		return fmt.Errorf("%w: %w", ErrManifest, err)
	}
	if manifest.Config.Digest == "" || len(manifest.Layers) > maxLayers {
		return fmt.Errorf("%w: it is not that of an image, or has more than %d layers",
			ErrManifest, maxLayers)
	}
	for _, d := range manifest.Layers {
		p.client.report(Progress{Layer: d.Digest, Total: d.Size})
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	group.Go(func() error { return p.blob(ctx, manifest.Config, nil) })
	seen := map[digest.Digest]bool{}
	for _, d := range manifest.Layers {
		if !seen[d.Digest] { // an image may have a layer twice
			seen[d.Digest] = true
			group.Go(func() error { return p.layer(ctx, d) })
		}
	}
	return group.Wait()
}

// layer fetches a layer that the destination has not.
func (p *pull) layer(ctx context.Context, d v1.Descriptor) error {
	progress := Progress{Layer: d.Digest, Total: d.Size}
	if p.to.Has(d.Digest) {
		progress.State, progress.Done = There, d.Size
		p.client.report(progress)
		return nil
	}
	progress.State = Travelling
	count := func(n int64) {
		progress.Done = n
		p.client.report(progress)
	}
	if err := p.blob(ctx, d, count); err != nil {
		return err
	}
	progress.State = Finished
	p.client.report(progress)
	return nil
}

// blob fetches one blob.
func (p *pull) blob(ctx context.Context, d v1.Descriptor, count func(int64)) error {
	if p.to.Has(d.Digest) {
		return nil
	}
	if err := d.Digest.Validate(); err != nil || d.Size < 0 {
		return fmt.Errorf("%w: a blob of %d bytes, digest %q", ErrManifest, d.Size, d.Digest)
	}
	blob, err := p.puller.Layer(ctx, p.repository.Digest(d.Digest.String()))
	if err != nil {
		return explain(p.host(), err)
	}
	r, err := blob.Compressed()
	if err != nil {
		return fmt.Errorf("blob %s: %w", d.Digest, explain(p.host(), err))
	}
	defer r.Close()
	if err := p.to.Ingest(d, &counter{Reader: r, count: count}); err != nil {
		return fmt.Errorf("registry %s: %w", p.host(), err)
	}
	return nil
}

// counter tells how many bytes were read.
type counter struct {
	io.Reader
	n     int64
	count func(int64)
}

// Read reads and tells.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	if c.count != nil && n > 0 {
		c.count(c.n)
	}
	return n, err
}
