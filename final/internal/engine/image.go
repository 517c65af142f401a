//go:build linux

package engine

import (
	"errors"
	"fmt"
	"os"

	"lab/internal/baseroot"
)

// Image is what a container is made of.
type Image struct {
	ID     string
	Config Config
	Lower  []string // directories of its layers, the uppermost first
}

// ErrNoImage means that an image is not here.
var ErrNoImage = errors.New("there is no such image here")

// image finds an image: the built-in one.
func (e *Engine) image(reference string) (Image, error) {
	if reference != "base" && reference != "base:latest" {
		return Image{}, fmt.Errorf("image %q: %w", reference, ErrNoImage)
	}
	dir := e.path("layers", "base")
	if _, err := os.Lstat(dir); err == nil {
		return builtIn(dir), nil
	}
	self, err := os.Executable()
	if err != nil {
		return Image{}, err
	}
	return builtIn(dir), baseroot.Write(dir, baseroot.Source{Lab: self})
}

// builtIn describes the built-in image.
func builtIn(dir string) Image {
	return Image{
		ID: "base", Lower: []string{dir},
		Config: Config{Cmd: []string{"sh"}, Env: []string{
			"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		}},
	}
}
