package build

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// prepare reads the flags of COPY and ADD. Files of other images keep their owners.
func (w *writer) prepare(c *Copy) (err error) {
	w.own = c.From != nil && c.Chown == ""
	if c.Chmod != "" {
		w.hasMode = true
		if w.mode, err = strconv.ParseUint(c.Chmod, 8, 12); err != nil {
			return fmt.Errorf("--chmod=%s: %w", c.Chmod, err)
		}
	}
	return w.ownedBy(c.Chown)
}

// perform writes what COPY or ADD adds to an image.
func (w *writer) perform(c *Copy, from tree) error {
	sources, err := match(from, c.Sources)
	if err != nil {
		return err
	}
	dest, err := resolve(w.under, c.Dest)
	if err != nil {
		return err
	}
	isDir := strings.HasSuffix(c.Dest, "/")
	if info, err := w.under.lstat(dest); err == nil {
		isDir = isDir || info.IsDir()
	}
	if len(sources)+len(c.Texts) > 1 && !isDir {
		return fmt.Errorf("several sources need a directory: end %s with a slash", c.Dest)
	}
	for _, s := range sources {
		if err := w.source(c, from, s, dest, isDir); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Texts)) {
		to := dest
		if isDir {
			to = path.Join(dest, path.Base(name))
		}
		if err := w.text(to, c.Texts[name]); err != nil {
			return err
		}
	}
	return nil
}

// source writes one source. Of a directory it is the content that is copied.
func (w *writer) source(c *Copy, from tree, name, dest string, intoDir bool) error {
	info, err := from.lstat(name)
	if err != nil {
		return err
	}
	if info.IsDir() {
		if err := w.parents(dest); err != nil {
			return err
		}
		return w.content(from, name, dest)
	}
	if c.Unpack && info.Mode().IsRegular() {
		if done, err := w.unpack(from, name, dest); done || err != nil {
			return err
		}
	}
	if intoDir {
		dest = path.Join(dest, path.Base(name))
	}
	return w.file(from, name, dest)
}

// content writes what is in a directory.
func (w *writer) content(from tree, name, dest string) error {
	names, err := from.list(name)
	if err != nil {
		return err
	}
	for _, n := range names {
		if err := w.file(from, path.Join(name, n), path.Join(dest, n)); err != nil {
			return err
		}
	}
	return nil
}

// match finds what the sources name. They may have wildcards.
func match(from tree, patterns []string) ([]string, error) {
	var found []string
	for _, pattern := range patterns {
		name := strings.TrimPrefix(path.Join("/", pattern), "/")
		if name == "" {
			name = "."
		}
		if !strings.ContainsAny(name, "*?[\\") {
			name, err := resolve(from, name)
			if err == nil {
				_, err = from.lstat(name)
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", pattern, cause(err))
			}
			found = append(found, name)
			continue
		}
		names, err := glob(from, ".", strings.Split(name, "/"))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", pattern, err)
		}
		if len(names) == 0 {
			return nil, fmt.Errorf("%s: no file is like that", pattern)
		}
		found = append(found, names...)
	}
	return found, nil
}

// cause takes the name out of an error, where the caller says it better.
func cause(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("no such file")
	}
	return err
}

// glob finds the names that are like a pattern, part by part.
func glob(t tree, dir string, pattern []string) ([]string, error) {
	if len(pattern) == 0 {
		return []string{dir}, nil
	}
	if info, err := t.lstat(dir); err != nil || !info.IsDir() {
		return nil, nil //nolint:nilerr // it is not like the pattern
	}
	names, err := t.list(dir)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, name := range names {
		like, err := path.Match(pattern[0], name)
		if err != nil {
			return nil, err
		}
		if !like {
			continue
		}
		more, err := glob(t, path.Join(dir, name), pattern[1:])
		if err != nil {
			return nil, err
		}
		found = append(found, more...)
	}
	return found, nil
}
