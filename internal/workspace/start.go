package workspace

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"lab/internal/course"
)

// From says what a new step begins as.
type From string

// What a new step may begin as.
const (
	Auto      From = ""          // the learner's program, if there is one, and it fits
	Mine      From = "mine"      // the learner's program, whether it fits or not
	Reference From = "reference" // the reference program
)

// ErrExists means that a step was started already; it is never overwritten.
var ErrExists = errors.New("it is there already")

// UnfitError says why a step cannot begin as the learner's program of its parent.
type UnfitError struct {
	Parent string
	Err    error
}

// Error returns the reason.
func (e *UnfitError) Error() string {
	return fmt.Sprintf("your %s and the new files do not fit: %v", e.Parent, e.Err)
}

// Unwrap returns the reason.
func (e *UnfitError) Unwrap() error { return e.Err }

// Started tells how a step began.
type Started struct {
	Dir     string
	Parent  string   // the step before, "" for the first
	From    From     // Mine or Reference
	Skipped bool     // Reference because the learner has no program of the parent
	Fields  []string // added to the container type
	Todo    []Todo   // the files to complete
	Given   []string // new files that are whole
}

// Todo is a file that the learner completes.
type Todo struct {
	File      string
	Functions []string // in the order of the file
}

// Start makes the directory of a step, whole or not at all.
func (w *Workspace) Start(ctx context.Context, step string, from From) (Started, error) {
	made, err := w.start(ctx, step, from)
	if err != nil {
		return made, fmt.Errorf("start %s: %w", step, err)
	}
	return made, nil
}

// start makes the directory under another name and, when all is well, renames it.
func (w *Workspace) start(ctx context.Context, step string, from From) (Started, error) {
	if _, err := os.Lstat(w.StepDir(step)); err == nil {
		return Started{}, fmt.Errorf("%s: %w", w.StepDir(step), ErrExists)
	}
	made, files, err := w.skeleton(step, from)
	if err != nil {
		return made, err
	}
	if err := w.prepare(); err != nil {
		return made, err
	}
	part := step + ".part" // of this or of a killed run
	defer os.RemoveAll(w.StepDir(part))
	if err := w.writeProgram(w.StepDir(part), files); err != nil {
		return made, err
	}
	if made.From == Mine && from == Auto {
		if err := w.fits(ctx, made.Parent, part); err != nil {
			return made, err
		}
	}
	return made, os.Rename(w.StepDir(part), w.StepDir(step))
}

// writeProgram writes files into a directory, which has nothing else then.
func (w *Workspace) writeProgram(dir string, files Files) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := w.mkdir(dir); err != nil {
		return err
	}
	for _, name := range files.Names() {
		if err := w.writeFile(filepath.Join(dir, name), files[name]); err != nil {
			return err
		}
	}
	return nil
}

// fits compiles a step that begins as the learner's program of its parent.
func (w *Workspace) fits(ctx context.Context, parent, part string) error {
	err := w.compile(ctx, part, os.DevNull)
	if failed, ok := errors.AsType[*BuildError](err); ok {
		return &UnfitError{parent, errors.New(firstComplaint(failed.Output))}
	}
	return err
}

// firstComplaint returns the first line of a compiler that is about a program,
// without the name of the directory that will be gone.
//
//	# workspace/03-mount.part
//	03-mount.part/init.go:17:3: undefined: setHostname
func firstComplaint(output string) string {
	for line := range strings.Lines(output) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			if _, after, found := strings.Cut(line, ".part/"); found {
				line = after
			}
			return line
		}
	}
	return output
}

// skeleton returns the files of a step that is about to begin.
func (w *Workspace) skeleton(step string, from From) (Started, Files, error) {
	made := Started{Dir: w.StepDir(step), From: Reference}
	path := course.UpTo(step)
	if len(path) > 1 {
		made.Parent = path[len(path)-2].ID
	}
	base := Files{}
	var err error
	switch {
	case made.Parent == "":
	case from != Reference && w.Has(made.Parent):
		made.From = Mine
		base, err = w.Own(made.Parent)
	case from == Mine:
		err = fmt.Errorf("your %s: %w", made.Parent, ErrNotStarted)
	default:
		made.Skipped = from != Reference
		base, err = ReferenceOf(made.Parent)
	}
	if err != nil {
		return made, nil, err
	}
	files, err := made.compose(step, base)
	if err != nil && made.From == Mine {
		err = &UnfitError{made.Parent, err}
	}
	if err != nil {
		return made, nil, err
	}
	files["START.md"], err = made.guide(step)
	return made, files, err
}

// compose puts a step together from a program of its parent, the reference's new
// files and the stubs.
func (s *Started) compose(step string, base Files) (Files, error) {
	reference, err := ReferenceOf(step)
	if err != nil {
		return nil, err
	}
	parent := Files{}
	if s.Parent != "" {
		if parent, err = ReferenceOf(s.Parent); err != nil {
			return nil, err
		}
	}
	files := maps.Clone(base)
	for _, name := range reference.Names() {
		if _, carried := parent[name]; carried {
			continue
		}
		if _, clash := base[name]; clash {
			return nil, fmt.Errorf("%s is there, and the step brings one", name)
		}
		text, err := stub(step, name)
		if err != nil {
			return nil, err
		}
		if files[name], err = complete(name, reference[name], text); err != nil {
			return nil, err
		}
		if err := s.note(name, text); err != nil {
			return nil, err
		}
	}
	if s.Parent != "" {
		s.Fields, err = addFields(files, parent, reference)
	}
	return files, err
}

// note remembers what there is to do in a new file.
func (s *Started) note(name string, stub []byte) error {
	if stub == nil {
		s.Given = append(s.Given, name)
		return nil
	}
	p, err := parse(name, stub)
	if err != nil {
		return err
	}
	var functions []string
	for _, decl := range p.file.Decls {
		if fn, ok := decl.(*ast.FuncDecl); ok {
			functions = append(functions, functionName(fn))
		}
	}
	s.Todo = append(s.Todo, Todo{name, functions})
	return nil
}
