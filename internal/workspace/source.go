package workspace

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"lab/steps"
)

// maxFile is more than any program of this path has in one file.
const maxFile = 1 << 20

// Files are the files of one program by name.
type Files map[string][]byte

// ReferenceOf returns the reference program of a step; tests are left out.
func ReferenceOf(step string) (Files, error) {
	below, err := fs.Sub(steps.Files, step)
	if err != nil {
		return nil, fmt.Errorf("read the reference of %s: %w", step, err)
	}
	files, err := programIn(below)
	if err != nil {
		return nil, fmt.Errorf("read the reference of %s: %w", step, err)
	}
	return files, nil
}

// Own returns the learner's program of a step; tests are left out.
func (w *Workspace) Own(step string) (Files, error) {
	files, err := ownFiles(w.StepDir(step))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read %s in %s: %w", step, w.Dir, ErrNotStarted)
	}
	return files, err
}

// ownFiles reads the program in a directory of the learner's.
func ownFiles(dir string) (Files, error) { return programIn(os.DirFS(dir)) }

// programIn reads the Go files of a directory that are not tests.
func programIn(dir fs.FS) (Files, error) {
	entries, err := fs.ReadDir(dir, ".")
	if err != nil {
		return nil, err
	}
	files := Files{}
	for _, e := range entries {
		name := e.Name()
		if !e.Type().IsRegular() || filepath.Ext(name) != ".go" ||
			strings.HasSuffix(name, "_test.go") || strings.ContainsAny(name[:1], "._") {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		if info.Size() > maxFile {
			return nil, fmt.Errorf("%s has %d bytes: too many for a program", name, info.Size())
		}
		if files[name], err = fs.ReadFile(dir, name); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// Names returns the names of the files in order.
func (f Files) Names() []string { return slices.Sorted(maps.Keys(f)) }

// Compare returns what has to change in old to make it now, as a unified diff of
// each file, "" if nothing has.
func Compare(oldName string, old Files, nowName string, now Files) string {
	all := maps.Clone(old)
	maps.Copy(all, now)
	var out strings.Builder
	for _, name := range all.Names() {
		out.Write(diff.Diff(oldName+"/"+name, old[name], nowName+"/"+name, now[name]))
	}
	return out.String()
}

// Diff returns what has to change in the learner's program of a step to make it
// the reference, "" if nothing has.
func (w *Workspace) Diff(step string) (string, error) {
	own, err := w.Own(step)
	if err != nil {
		return "", err
	}
	reference, err := ReferenceOf(step)
	if err != nil {
		return "", err
	}
	return Compare("yours/"+step, own, "reference/"+step, reference), nil
}
