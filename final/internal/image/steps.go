package image

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"
)

// stepsDir is what came of the steps of builds, a file each, under the step's key:
//
//	steps/3b0c…   {"layer": {"digest": "sha256:…", "size": 9, "DiffID": "…"}, "when": …}
const stepsDir = "steps"

// Result is what came of a step of a build: a layer or none, and when.
type Result struct {
	Layer *Layer    `json:"layer,omitempty"`
	When  time.Time `json:"when"`
}

// Remember notes what came of a step. Its layer stays as if it were part of an image, until
// Forget. The store must be held.
func (s *Store) Remember(key string, r Result) error {
	if err := os.MkdirAll(s.path(stepsDir), 0o700); err != nil {
		return err
	}
	return writeJSON(filepath.Join(s.path(stepsDir), key), r)
}

// Recall looks up what came of a step. One whose layer is gone is as good as unknown.
func (s *Store) Recall(key string) (r Result, known bool) {
	text, err := os.ReadFile(filepath.Join(s.path(stepsDir), key))
	if err != nil || json.Unmarshal(text, &r) != nil {
		return Result{}, false
	}
	return r, r.Layer == nil || s.Has(r.Layer.Digest)
}

// Forget forgets all steps, unless others are at work, of which Collect will tell.
func (s *Store) Forget() error {
	f, err := lock(s.path(useFile), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	return os.RemoveAll(s.path(stepsDir))
}

// markSteps notes what the steps that are remembered need. What was being written when its
// writer was killed goes: nobody is at work now.
func (s *Store) markSteps(blobs, layers map[digest.Digest]bool) error {
	entries, err := os.ReadDir(s.path(stepsDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			if err := os.Remove(filepath.Join(s.path(stepsDir), e.Name())); err != nil {
				return err
			}
		}
		if r, known := s.Recall(e.Name()); known && r.Layer != nil {
			blobs[r.Layer.Digest], layers[r.Layer.DiffID] = true, true
		}
	}
	return nil
}
