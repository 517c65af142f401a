//go:build linux

package engine

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"lab/final/internal/image"
	"lab/final/internal/layer"
	"lab/internal/baseroot"
)

// baseName is the name of the built-in image.
func baseName() image.Reference {
	return image.Reference{Registry: "docker.io", Repository: "library/base", Tag: "latest"}
}

// IsBase reports whether a name is the built-in image's.
func IsBase(name string) bool {
	ref, err := image.ParseReference(name)
	return err == nil && ref == baseName()
}

// Base returns the built-in image: this program under the names of its applets, and what
// else a root file system needs. It is made when it is first asked for, and anew when the
// program has become another.
func Base(store *image.Store) (*image.Image, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("make the built-in image: %w", err)
	}
	info, err := os.Stat(self)
	if err != nil {
		return nil, fmt.Errorf("make the built-in image: %w", err)
	}
	made := info.ModTime().UTC().Format(time.RFC3339Nano)
	stamp := fmt.Sprintf("%d bytes of %s", info.Size(), made)
	img, err := store.Builtin(baseName(), stamp, baseConfig(), func(w io.Writer) error {
		return writeBase(w, self)
	})
	if err != nil {
		return nil, fmt.Errorf("make the built-in image: %w", err)
	}
	return img, nil
}

// epoch is when everything in the built-in image was made: the same program always gives
// the same image.
func epoch() time.Time { return time.Unix(0, 0).UTC() }

// baseConfig is the configuration of the built-in image.
func baseConfig() image.Config {
	when := epoch()
	c := image.Config{}
	c.Created = &when
	c.Config.Cmd = []string{"sh"}
	c.Config.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	c.History = []v1.History{{Created: &when, CreatedBy: "built into mini"}}
	return c
}

// writeBase writes the built-in root file system as a layer.
func writeBase(w io.Writer, self string) error {
	temp, err := os.MkdirTemp("", "mini-base-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	root := filepath.Join(temp, "root")
	if err := baseroot.Write(root, baseroot.Source{Lab: self}); err != nil {
		return err
	}
	return layer.Write(w, root, layer.WriteOptions{Epoch: epoch(), Root: true})
}
