package build

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"lab/final/internal/image"
)

// key is what a layer depends on: the image below, what is done, and the content of what
// is copied, with the modes but without the times.
func key(parent string, s Step, content string, epoch time.Time) (string, error) {
	what, err := json.Marshal(s)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "%s\n%s\n%s\n%d\n", parent, what, content, epoch.Unix())
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// fingerprint is the content of a layer that was not written yet: what its tar would be if
// all its files were of the same time.
func fingerprint(write func(w *writer) error, under tree) (string, error) {
	sum := sha256.New()
	w := newWriter(sum, under, time.Unix(0, 0))
	if err := errors.Join(write(w), w.tar.Close()); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// Cache is a directory that knows which layers came of what.
//
//	CACHE/KEY     {"layer": {"digest": "sha256:…", "size": 1024, "DiffID": "sha256:…"}}
type Cache struct{ Dir string }

// cached is what is known of a step: its layer, or that it has none.
type cached struct {
	Layer *image.Layer `json:"layer"`
}

// get looks a key up. A layer that is not in the store any more is as good as unknown.
func (c Cache) get(key string, store *image.Store) (*image.Layer, bool) {
	text, err := os.ReadFile(filepath.Join(c.Dir, key))
	if err != nil {
		return nil, false
	}
	var found cached
	if err := json.Unmarshal(text, &found); err != nil {
		return nil, false
	}
	if found.Layer == nil {
		return nil, true
	}
	return found.Layer, store.Has(found.Layer.Digest)
}

// put remembers what came of a step. A file appears wholly or not at all.
func (c Cache) put(key string, l *image.Layer) error {
	text, err := json.Marshal(cached{Layer: l})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(c.Dir, ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.Write(text)
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), filepath.Join(c.Dir, key))
}
