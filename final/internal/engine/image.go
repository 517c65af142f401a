//go:build linux

package engine

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/opencontainers/go-digest"

	"lab/final/internal/image"
)

// Image is what a container is made of.
type Image struct {
	ID     string
	Config Config
	Layers []digest.Digest // the uppermost first; all are unpacked
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

// image finds an image, and unpacks what of it is not unpacked. It stays until release is
// called, and then if the record of a container names it.
func (e *Engine) image(reference string) (found Image, release func(), err error) {
	store, err := e.Images()
	if err != nil {
		return Image{}, nil, err
	}
	if release, err = store.Hold(); err != nil {
		return Image{}, nil, err
	}
	img, err := FindImage(store, reference)
	if err == nil {
		found = describeImage(img)
		_, err = img.Lower(context.Background())
	}
	if err != nil {
		release()
		return Image{}, nil, err
	}
	return found, release, nil
}

// describeImage is what an image says of its containers.
func describeImage(img *image.Image) Image {
	c := img.Config.Config
	found := Image{ID: img.ID().String(), Config: Config{
		User: c.User, Env: c.Env, Cmd: c.Cmd, Entrypoint: c.Entrypoint, Labels: c.Labels,
		WorkingDir: c.WorkingDir, StopSignal: c.StopSignal,
	}}
	for _, l := range img.Layers() {
		found.Layers = append([]digest.Digest{l.DiffID}, found.Layers...)
	}
	return found
}

// lower are the directories below what a container writes, the uppermost first: its init
// layer and those of the image. What of them is gone, or may have been lost in a power
// cut, is unpacked once more.
func (e *Engine) lower(c *Container) ([]string, error) {
	store, err := e.Images()
	if err != nil {
		return nil, err
	}
	dirs, whole := []string{filepath.Join(e.dir(c.ID), "init")}, true
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
