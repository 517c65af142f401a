//go:build linux

package engine

import (
	"context"
	"errors"

	"lab/final/internal/image"
)

// Image is what a container is made of.
type Image struct {
	ID     string
	Config Config
	Lower  []string // directories of its layers, the uppermost first
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
func (e *Engine) image(r *Request) (found Image, release func(), err error) {
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
		found = describeImage(img)
		found.Lower, err = img.Lower(context.Background())
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
	return Image{ID: img.ID().String(), Config: Config{
		User: c.User, Env: c.Env, Cmd: c.Cmd, Entrypoint: c.Entrypoint, Labels: c.Labels,
		WorkingDir: c.WorkingDir, StopSignal: c.StopSignal,
	}}
}

// UsersOf returns the names of the containers that are made of an image.
func (e *Engine) UsersOf(img *image.Image) ([]string, error) {
	all, err := e.List()
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
