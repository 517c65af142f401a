// Package spec loads the config.json of an OCI bundle and says in words what is
// wrong with it, before anything is made of it.
//
//	c, err := spec.Load("web", "/bundles/web")
//
// What it returns can be compiled to a plan. An error names the field by its
// path, as jq(1) would, with what was found there and what is expected:
//
//	config.json: .process.cwd: "srv" is not an absolute path
//
// A field of the specification that this runtime does not support is refused by
// name and never ignored: a container that lacks a restriction it asked for is
// worse than none. See the OCI runtime specification, config.md and
// config-linux.md.
package spec

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"lab/final/internal/object"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// File is the name of the configuration in a bundle.
const File = "config.json"

// maxSize is more than any configuration needs; a larger file is no configuration.
const maxSize = 16 << 20

// Container is what a plan is compiled from: the configuration, and what the
// command line adds to it.
type Container struct {
	ID     string
	Bundle string      // absolute; relative paths of the configuration begin here
	Config *specs.Spec `json:"-"`
	// Text is what Config was read from. It is what is kept of it: to write it anew would
	// take a tenth of a start.
	Text json.RawMessage `json:"config"`

	PreserveFDs   int  // file descriptors from 3 on that the container keeps
	NoPivot       bool // move the root with MS_MOVE instead of pivot_root(2)
	NoNewKeyring  bool // keep the caller's session keyring
	SystemdCgroup bool // have systemd make the cgroup; cgroupsPath is slice:prefix:name
}

// Load reads and checks the configuration of a bundle.
func Load(id, bundle string) (*Container, error) {
	if err := CheckID(id); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(bundle)
	if err != nil {
		return nil, fmt.Errorf("bundle %q: %w", bundle, err)
	}
	text, err := read(filepath.Join(dir, File))
	if err != nil {
		return nil, fmt.Errorf("bundle %s: %w", dir, err)
	}
	config, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("bundle %s: %s: %w", dir, File, err)
	}
	return &Container{ID: id, Bundle: dir, Config: config, Text: text}, nil
}

// read reads a file of a reasonable size.
func read(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxSize+1))
	if err == nil && len(text) > maxSize {
		err = fmt.Errorf("%s: larger than %d MiB", File, maxSize>>20)
	}
	return text, err
}

// Parse parses and checks the text of a configuration. As the specification
// wants it, fields it does not know are ignored.
func Parse(text []byte) (*specs.Spec, error) {
	config := &specs.Spec{}
	if err := object.Read(text, config); err != nil {
		return nil, words(text, err)
	}
	return config, Check(config)
}

// words says where in the text a JSON error is.
func words(text []byte, err error) error {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		line := 1
		for _, b := range text[:min(int(syntax.Offset), len(text))] {
			if b == '\n' {
				line++
			}
		}
		return fmt.Errorf("line %d: not JSON: %w", line, err)
	}
	return err
}

// CheckID refuses a container's name that could not be a directory's, or would
// lead out of the one it is in.
func CheckID(id string) error {
	if id == "" {
		return errors.New("container ID: it is empty")
	}
	if id == "." || id == ".." || len(id) > 255 {
		return fmt.Errorf("container ID %q: no name for a directory", id)
	}
	for _, r := range id {
		if !isIDRune(r) {
			return fmt.Errorf("container ID %q: %q is no letter, digit, dot or one of _+-", id, r)
		}
	}
	return nil
}

// isIDRune reports whether a character may be part of a container's name.
func isIDRune(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		return true
	}
	return r == '_' || r == '+' || r == '-' || r == '.'
}
