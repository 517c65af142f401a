package workspace

import (
	"archive/zip"
	"bytes"
	_ "embed" // for the archive
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// modules is what a workspace consists of before there is a step in it; command
// pack makes it.
//
//go:embed modules.zip
var modules []byte

// prepare makes the directory a module, unless it is one. What the learner has
// added to go.mod and vendor stays.
func (w *Workspace) prepare() error {
	if name := moduleIn(w.Dir); name != "" && name != "workspace" {
		return fmt.Errorf("%s is the module %s, not a workspace", w.Dir, name)
	}
	if err := w.mkdir(w.Dir); err != nil {
		return err
	}
	archive, err := zip.NewReader(bytes.NewReader(modules), int64(len(modules)))
	if err != nil {
		return fmt.Errorf("read the archive of libraries: %w", err)
	}
	// vendor appears whole or not at all, and go.mod only beside it.
	vendor := filepath.Join(w.Dir, "vendor")
	if _, err := os.Stat(filepath.Join(vendor, "modules.txt")); err != nil {
		if err := w.unpackVendor(archive, vendor); err != nil {
			return err
		}
	}
	if moduleIn(w.Dir) != "" {
		return nil
	}
	text, err := fs.ReadFile(archive, "go.mod")
	if err != nil {
		return fmt.Errorf("read the archive of libraries: %w", err)
	}
	return w.writeFile(filepath.Join(w.Dir, "go.mod"), text)
}

// unpackVendor writes the libraries beside their place and moves them there.
func (w *Workspace) unpackVendor(archive *zip.Reader, vendor string) error {
	part := filepath.Join(w.Dir, ".vendor.part") // of this or of a killed run
	if err := os.RemoveAll(part); err != nil {
		return err
	}
	for _, file := range archive.File {
		name, err := filepath.Rel("vendor", filepath.FromSlash(file.Name))
		if err != nil || !filepath.IsLocal(name) {
			continue // go.mod
		}
		text, err := fs.ReadFile(archive, file.Name)
		if err != nil {
			return fmt.Errorf("read the archive of libraries: %w", err)
		}
		path := filepath.Join(part, name)
		if err := w.mkdir(filepath.Dir(path)); err != nil {
			return err
		}
		if err := w.writeFile(path, text); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(vendor); err != nil {
		return err
	}
	return os.Rename(part, vendor)
}
