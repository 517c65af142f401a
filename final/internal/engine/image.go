//go:build linux

package engine

import (
	"context"
	"errors"
	"path/filepath"
	"slices"

	"github.com/opencontainers/go-digest"

	"lab/final/internal/image"
)

// Image is what a container is made of.
type Image struct {
	ID     string
	Config Config
	Layers []digest.Digest // the uppermost first; all are unpacked
	Lower  []string        // directories in place of layers
}

// Images opens the images of the engine's root directory.
func (e *Engine) Images() (*image.Store, error) { return image.Open(e.Root) }

// FindImage finds an image that is here. The built-in one always is.
func FindImage(store *image.Store, reference string) (*image.Image, error) {
	if IsBase(reference) {
		return Base(store)
	}
	return store.Resolve(reference)
}

// image finds the image of a container to be, and unpacks what of it is not unpacked. It
// stays until release is called, and then if the record of a container names it.
func (e *Engine) image(ctx context.Context, r *Request) (
	found Image, release func(), err error,
) {
	if len(r.Rootfs) > 0 {
		return rootDirs(r)
	}
	store, err := e.Images()
	if err != nil {
		return Image{}, nil, err
	}
	if release, err = store.Hold(); err != nil {
		return Image{}, nil, err
	}
	img, err := FindImage(store, r.Image)
	if err == nil {
		found = Describe(img.Config, img.Layers())
		found.ID = img.ID().String()
		_, err = img.Lower(ctx)
	}
	if err != nil {
		release()
		return Image{}, nil, err
	}
	return found, release, nil
}

// Describe is what layers, the uppermost last, and a configuration come to: the image is
// one that need not be in the store.
func Describe(i image.Config, layers []image.Layer) Image {
	c := i.Config
	described := Image{Config: Config{
		User: c.User, Env: c.Env, Cmd: c.Cmd, Entrypoint: c.Entrypoint, Labels: c.Labels,
		WorkingDir: c.WorkingDir, StopSignal: c.StopSignal,
		ExposedPorts: c.ExposedPorts, Healthcheck: c.Healthcheck,
	}}
	for _, l := range slices.Backward(layers) {
		described.Layers = append(described.Layers, l.DiffID)
	}
	return described
}

// lower are the directories below what a container writes, the uppermost first: its init
// layer and those of the image. What of them is gone, or may have been lost in a power
// cut, is unpacked once more.
func (e *Engine) lower(c *Container) ([]string, error) {
	store, err := e.Images()
	if err != nil {
		return nil, err
	}
	dirs, whole := append([]string{filepath.Join(e.dir(c.ID), "init")}, c.Lower...), true
	for _, d := range c.Layers {
		dirs = append(dirs, store.Layers().Path(d))
		whole = whole && store.Layers().Has(d)
	}
	if whole {
		return dirs, nil
	}
	release, err := store.Hold()
	if err != nil {
		return nil, err
	}
	defer release()
	img, err := store.Resolve(c.Image)
	if err == nil {
		_, err = img.Lower(context.Background())
	}
	return dirs, err
}

// Settle waits until the layers that were unpacked are on disk, for who has the time.
func (e *Engine) Settle() error {
	store, err := e.Images()
	if err != nil {
		return err
	}
	return store.Layers().Settle()
}

// UsersOf returns the names of the containers that are made of an image. It waits for
// nobody's lock, since who asks may be alone with the images.
func (e *Engine) UsersOf(img *image.Image) ([]string, error) {
	all, err := e.list(e.read)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	var names []string
	for _, c := range all {
		if c.Image == img.ID().String() {
			names = append(names, c.Name)
		}
	}
	return names, nil
}
