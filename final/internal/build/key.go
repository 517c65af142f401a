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

// key is what a step's result depends on: what is below, what is done, and the content of
// what is copied, with the modes but without the times.
func key(parent string, s Step, content string, epoch time.Time) (string, error) {
	var what any = s
	if !s.changesFiles() {
		what = s.Config.Config
	}
	text, err := json.Marshal(what)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "%s\n%s\n%s\n%d\n", parent, text, content, epoch.Unix())
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

// Cache is a directory that knows what came of which step.
//
//	CACHE/KEY   {"layer": {"digest": "sha256:…", "size": 1024, "DiffID": "sha256:…"}, "when": …}
type Cache struct{ Dir string }

// result is what came of a step: a layer or none, and when.
type result struct {
	Layer *image.Layer `json:"layer"`
	When  *time.Time   `json:"when"`
}

// get looks a key up. A layer that is not in the store any more is as good as unknown.
func (c Cache) get(key string, store *image.Store) (found result, ok bool) {
	text, err := os.ReadFile(filepath.Join(c.Dir, key))
	if err != nil || json.Unmarshal(text, &found) != nil || found.When == nil {
		return result{}, false
	}
	if found.Layer != nil && !store.Has(found.Layer.Digest) {
		return result{}, false
	}
	return found, true
}

// put remembers what came of a step. A file appears wholly or not at all.
func (c Cache) put(key string, made result) error {
	text, err := json.Marshal(made)
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
