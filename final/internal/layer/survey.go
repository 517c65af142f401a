package layer

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// Kind is what a layer does with a name.
type Kind byte

// The kinds of changes, by docker's letters.
const (
	Added    Kind = 'A'
	Replaced Kind = 'C'
	Deleted  Kind = 'D'
)

// Change is one name that a layer changes.
type Change struct {
	Kind Kind
	Name string // with a slash in front
	Size int64  // of the file's content
}

// Survey looks through the layers of an image, the lowest first, and knows what is there
// at each point.
type Survey struct {
	there map[string]bool // whether it is a directory
}

// NewSurvey begins with nothing.
func NewSurvey() *Survey { return &Survey{there: map[string]bool{}} }

// Layer reads the next layer's tar and returns what it changes. Directories that are there
// already are not changes: a layer names them on the way to what is in them.
func (s *Survey) Layer(r io.Reader) ([]Change, error) {
	var all []Change
	own := map[string]bool{} // a whiteout is about lower layers, not this one
	tr := tar.NewReader(r)
	for {
		header, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%w: read the tar: %w", ErrFormat, err)
		}
		name, err := clean(header.Name)
		if err != nil {
			return nil, err
		}
		if name == "." || header.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		if strings.HasPrefix(path.Base(name), whiteoutPrefix) {
			all = append(all, s.deleted(name, own)...)
			continue
		}
		if change, ok := s.entry(name, header, own); ok {
			all = append(all, change)
		}
	}
	return all, nil
}

// entry notes a file or directory.
func (s *Survey) entry(name string, header *tar.Header, own map[string]bool) (Change, bool) {
	isDir := header.Typeflag == tar.TypeDir
	wasDir, was := s.there[name]
	s.there[name] = isDir
	if own[name] || was && wasDir && isDir {
		return Change{}, false
	}
	own[name] = true
	kind := Added
	if was {
		kind = Replaced
	}
	return Change{Kind: kind, Name: "/" + name, Size: header.Size}, true
}

// deleted is what a whiteout hides: one name, or all in a directory. Names below a deleted
// directory go without a word.
func (s *Survey) deleted(name string, own map[string]bool) []Change {
	dir, base := path.Dir(name), path.Base(name)
	if base != whiteoutOpaque {
		target := path.Join(dir, strings.TrimPrefix(base, whiteoutPrefix))
		if _, ok := s.there[target]; !ok || strings.HasPrefix(base, whiteoutMeta) {
			return nil
		}
		s.forget(target, own)
		return []Change{{Kind: Deleted, Name: "/" + target}}
	}
	var all []Change
	for _, target := range s.in(dir) {
		if !own[target] {
			s.forget(target, own)
			all = append(all, Change{Kind: Deleted, Name: "/" + target})
		}
	}
	return all
}

// in lists the names right in a directory, in order.
func (s *Survey) in(dir string) []string {
	var names []string
	for name := range s.there {
		if path.Dir(name) == dir {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// forget takes a name, and what is below it, out of what is there.
func (s *Survey) forget(target string, own map[string]bool) {
	for name := range s.there {
		if (name == target || strings.HasPrefix(name, target+"/")) && !own[name] {
			delete(s.there, name)
		}
	}
}
