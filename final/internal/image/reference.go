package image

import (
	"errors"
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"
)

// What a short name leaves out.
const (
	defaultRegistry = "docker.io"
	officialImages  = "library/"
	defaultTag      = "latest"
)

// Reference is a whole image name:
//
//	localhost:5000/team/web:1.2@sha256:4bf5…
//	(1)            (2)      (3) (4)
//
// (1) registry; (2) repository; (3) tag; (4) digest of the manifest. A short name stands
// for a whole one: debian is docker.io/library/debian:latest. A reference has a tag, a
// digest or both, except where a function says otherwise.
type Reference struct {
	Registry, Repository, Tag string
	Digest                    digest.Digest
}

// ParseReference reads a name as people type it, and fills in what it leaves out.
func ParseReference(text string) (Reference, error) {
	r, err := parseReference(text)
	if err != nil {
		return Reference{}, fmt.Errorf("%w %q: %w", ErrReference, text, err)
	}
	if r.Tag == "" && r.Digest == "" {
		r.Tag = defaultTag
	}
	return r, nil
}

// parseReference takes a name apart, from its end.
func parseReference(text string) (r Reference, err error) {
	name, hash, pinned := strings.Cut(text, "@")
	if pinned {
		if r.Digest, err = digest.Parse(hash); err != nil {
			return r, fmt.Errorf("%q after the @ is no digest", hash)
		}
	}
	// A colon before the last slash is that of a port.
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		name, r.Tag = name[:i], name[i+1:]
		if !isTag(r.Tag) {
			return r, fmt.Errorf("%q is no tag", r.Tag)
		}
	}
	r.Registry, r.Repository = splitRegistry(name)
	if isHex(name) && len(name) == digest.Canonical.Size()*2 {
		return r, errors.New("it is an ID")
	}
	if !isRegistry(r.Registry) {
		return r, fmt.Errorf("%q is no registry", r.Registry)
	}
	return r, checkRepository(r.Repository)
}

// splitRegistry tells a registry from the first word of a repository: the former has a
// dot, a port or capitals in it, or is localhost.
func splitRegistry(name string) (registry, repository string) {
	first, rest, more := strings.Cut(name, "/")
	isHost := strings.ContainsAny(first, ".:") || first == "localhost" ||
		first != strings.ToLower(first)
	switch {
	case more && isHost && first == "index."+defaultRegistry:
		registry, repository = defaultRegistry, rest
	case more && isHost:
		registry, repository = first, rest
	default:
		registry, repository = defaultRegistry, name
	}
	if registry == defaultRegistry && !strings.Contains(repository, "/") {
		repository = officialImages + repository
	}
	return registry, repository
}

// isRegistry reports whether s can be a host with or without a port.
func isRegistry(s string) bool {
	host, port := s, "0"
	if i := strings.LastIndexByte(s, ':'); i > strings.LastIndexByte(s, ']') {
		host, port = s[:i], s[i+1:]
	}
	if address, ok := strings.CutPrefix(host, "["); ok {
		address, ok = strings.CutSuffix(address, "]")
		return ok && consistsOf(address, "0123456789abcdefABCDEF:.") && isNumber(port)
	}
	return isNumber(port) && consistsOf(host, letters+strings.ToUpper(letters)+digits+".-") &&
		!strings.HasPrefix(host, "-") && !strings.HasPrefix(host, ".")
}

// checkRepository says what is wrong with a repository's path: its words are of small
// letters and digits, with single separators between them.
func checkRepository(path string) error {
	if len(path) > 255 {
		return errors.New("it has more than 255 characters")
	}
	if strings.ToLower(path) != path {
		return fmt.Errorf("there are capital letters in %q", path)
	}
	for word := range strings.SplitSeq(path, "/") {
		if !isWord(word) {
			return fmt.Errorf("%q is no part of a name", word)
		}
	}
	return nil
}

// isWord reports whether s is one part of a repository's path. Separators are a dot, one
// or two underscores, or any number of dashes, and stand between letters and digits.
func isWord(s string) bool {
	for s != "" {
		rest := strings.TrimLeft(s, letters+digits)
		if len(rest) == len(s) {
			return false
		}
		if rest == "" {
			return true
		}
		after := strings.TrimLeft(rest, "._-")
		switch separator := rest[:len(rest)-len(after)]; separator {
		case ".", "_", "__":
		default:
			if strings.Trim(separator, "-") != "" || separator == "" {
				return false
			}
		}
		s = after
	}
	return false
}

// isTag reports whether s can be a tag.
func isTag(s string) bool {
	return len(s) <= 128 && consistsOf(s, letters+strings.ToUpper(letters)+digits+"_.-") &&
		!strings.HasPrefix(s, ".") && !strings.HasPrefix(s, "-")
}

// The characters that names are made of.
const (
	letters = "abcdefghijklmnopqrstuvwxyz"
	digits  = "0123456789"
)

// consistsOf reports whether s is not empty and has only characters of set.
func consistsOf(s, set string) bool { return s != "" && strings.Trim(s, set) == "" }

// isNumber reports whether s has only digits.
func isNumber(s string) bool { return consistsOf(s, digits) }

// isHex reports whether s has only digits of a digest.
func isHex(s string) bool { return consistsOf(s, digits+"abcdef") }

// Name is registry and repository, without tag and digest.
func (r Reference) Name() string { return r.Registry + "/" + r.Repository }

// String is the whole name, which ParseReference reads again.
func (r Reference) String() string { return r.suffixed(r.Name()) }

// Familiar is the shortest name that ParseReference understands as r.
func (r Reference) Familiar() string { return r.suffixed(r.FamiliarName()) }

// FamiliarName is the shortest form of Name.
func (r Reference) FamiliarName() string {
	name := r.Name()
	if r.Registry == defaultRegistry {
		name = r.Repository
		short := strings.TrimPrefix(name, officialImages)
		if !strings.Contains(short, "/") {
			name = short
		}
	}
	return name
}

// suffixed appends tag and digest to a name.
func (r Reference) suffixed(name string) string {
	if r.Tag != "" {
		name += ":" + r.Tag
	}
	if r.Digest != "" {
		name += "@" + r.Digest.String()
	}
	return name
}
