//go:build linux

package engine

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// idLength is how many hexadecimal digits an ID has.
const idLength = 64

// newID makes one that nobody has.
func newID() string {
	var random [idLength / 2]byte
	_, _ = rand.Read(random[:]) // it never fails
	return hex.EncodeToString(random[:])
}

// checkName refuses a name that could be taken for a path, a flag or an ID.
func checkName(name string) error {
	for i, r := range name {
		alphanumeric := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !alphanumeric && (i == 0 || !strings.ContainsRune("_.-", r)) {
			return fmt.Errorf("name %q: %w: it begins with a letter or digit, and _ . - may follow",
				name, ErrName)
		}
	}
	if len(name) < 2 || len(name) > 200 {
		return fmt.Errorf("name %q: %w: it is %d letters long", name, ErrName, len(name))
	}
	return nil
}

// claimName makes a name that of a container. A symbolic link cannot be made twice, so two
// who claim one at the same time do not both get it. A name whose container is gone or has
// another is free.
func (e *Engine) claimName(name, id string) error {
	if err := checkName(name); err != nil {
		return err
	}
	path := e.path("names", name)
	for {
		err := os.Symlink(id, path)
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
		holder, err := os.Readlink(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if e.holds(name, holder) {
			return fmt.Errorf("name %q: %w %s", name, ErrTaken, short(holder))
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
}

// holds reports whether a container still has a name, or is about to.
func (e *Engine) holds(name, id string) bool {
	c := &Container{}
	err := readJSON(e.recordPath(id), c)
	if errors.Is(err, fs.ErrNotExist) {
		_, err = os.Lstat(e.dir(id))
		return err == nil // it is being made
	}
	return err != nil || c.Name == name
}

// dropName gives a name back if it is the container's.
func (e *Engine) dropName(name, id string) error {
	path := e.path("names", name)
	holder, err := os.Readlink(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && holder != id {
		return nil
	}
	if err != nil {
		return err
	}
	return os.Remove(path)
}

// Find finds a container by its name, its ID or the beginning of that.
func (e *Engine) Find(word string) (*Container, error) {
	id, err := e.find(strings.TrimPrefix(word, "/"))
	if err != nil {
		return nil, err
	}
	return e.load(id)
}

// find finds the ID.
func (e *Engine) find(word string) (string, error) {
	if word == "" || strings.ContainsAny(word, "/\x00") {
		return "", fmt.Errorf("container %q: %w", word, ErrNotFound)
	}
	if id, err := os.Readlink(e.path("names", word)); err == nil && e.holds(word, id) {
		return id, nil
	}
	ids, err := e.all()
	if err != nil {
		return "", err
	}
	found := ""
	for _, id := range ids {
		if !strings.HasPrefix(id, word) {
			continue
		}
		if found != "" {
			return "", fmt.Errorf("container %q: %w", word, ErrAmbiguous)
		}
		found = id
	}
	if found == "" {
		return "", fmt.Errorf("container %q: %w", word, ErrNotFound)
	}
	return found, nil
}

// The words of which names are made.
const (
	qualities = "brisk calm bright deft early fair glad handy jolly keen lucid merry neat " +
		"plain quick quiet ready sound sunny tidy vivid warm wise young"
	things = "acorn anchor badger beacon birch canal cedar comet ember falcon fjord garnet " +
		"harbor heron island lantern maple meadow otter pebble quarry river sparrow walnut"
)

// randomName makes a name that can be remembered.
func randomName() string {
	var random [3]byte
	_, _ = rand.Read(random[:]) // it never fails
	quality, thing := strings.Fields(qualities), strings.Fields(things)
	return quality[int(random[0])%len(quality)] + "_" + thing[int(random[1])%len(thing)] +
		fmt.Sprintf("%d", random[2]%100)
}
