package workspace

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"lab/internal/invoker"
)

// Variable names the environment variable with the directory of the workspace.
const Variable = "LAB_WORKSPACE"

// Workspace is the directory of a learner's programs.
type Workspace struct {
	Dir string // absolute; need not be there yet

	owner invoker.Invoker
}

// Find returns the workspace: the directory given by a flag, else the one in
// $LAB_WORKSPACE, else the one that the working directory is in or beside, going
// upwards, else workspace in the top of the checkout or in the working directory.
func Find(flag string) (*Workspace, error) {
	who, err := invoker.Current()
	if err != nil {
		return nil, err
	}
	dir := flag
	if dir == "" {
		dir = os.Getenv(Variable)
	}
	if dir == "" {
		here, err := os.Getwd()
		if err != nil {
			return nil, fmt.Errorf("find the workspace: %w", err)
		}
		dir = search(here)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, fmt.Errorf("find the workspace: %w", err)
	}
	return &Workspace{Dir: dir, owner: who}, nil
}

// search goes upwards from a directory to the nearest workspace. If there is none
// it says where to make one.
func search(here string) string {
	place := filepath.Join(here, "workspace")
	for dir := here; ; dir = filepath.Dir(dir) {
		beside := filepath.Join(dir, "workspace")
		switch {
		case moduleIn(dir) == "workspace":
			return dir
		case moduleIn(beside) == "workspace":
			return beside
		case moduleIn(dir) == "lab":
			place = beside // not in the midst of the course's own sources
		}
		if dir == filepath.Dir(dir) {
			return place
		}
	}
}

// moduleIn returns the name of the module whose go.mod is in a directory, or "".
func moduleIn(dir string) string {
	text, _ := os.ReadFile(filepath.Join(dir, "go.mod")) // without it no module
	for line := range strings.Lines(string(text)) {
		if name, found := strings.CutPrefix(line, "module "); found {
			return strings.TrimSpace(name)
		}
	}
	return ""
}

// StepDir returns the directory of a step's program.
func (w *Workspace) StepDir(step string) string { return filepath.Join(w.Dir, step) }

// Has reports whether a step's program was started.
func (w *Workspace) Has(step string) bool {
	info, err := os.Stat(w.StepDir(step))
	return err == nil && info.IsDir()
}

// mkdir makes a directory that belongs to the learner, and its parents.
func (w *Workspace) mkdir(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	} else if err == nil {
		return fmt.Errorf("mkdir %s: there is a file of that name", dir)
	}
	if parent := filepath.Dir(dir); parent != dir {
		if err := w.mkdir(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return w.give(dir)
}

// writeFile writes a file that belongs to the learner.
func (w *Workspace) writeFile(path string, text []byte) error {
	if err := os.WriteFile(path, text, 0o644); err != nil { //nolint:gosec // source, for everyone
		return err
	}
	return w.give(path)
}

// give gives a file to the learner where root acts for them.
func (w *Workspace) give(path string) error {
	if !w.owner.Sudo {
		return nil
	}
	return os.Lchown(path, w.owner.UID, w.owner.GID)
}
