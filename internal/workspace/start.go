package workspace

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
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
	if _, err := os.Lstat(w.StepDir(step)); err == nil {
		return Started{}, fmt.Errorf("start %s: %s: %w", step, w.StepDir(step), ErrExists)
	}
	made, files, err := w.skeleton(step, from)
	if err != nil {
		return made, fmt.Errorf("start %s: %w", step, err)
	}
	if err := w.prepare(); err != nil {
		return made, fmt.Errorf("start %s: %w", step, err)
	}
	part := step + ".part" // of this or of a killed run
	dir := w.StepDir(part)
	if err := os.RemoveAll(dir); err != nil {
		return made, fmt.Errorf("start %s: %w", step, err)
	}
	defer os.RemoveAll(dir)
	err = w.mkdir(dir)
	for _, name := range files.Names() {
		if err == nil {
			err = w.writeFile(filepath.Join(dir, name), files[name])
		}
	}
	if err == nil && made.From == Mine && from == Auto {
		err = w.fits(ctx, made.Parent, part)
	}
	if err == nil {
		err = os.Rename(dir, w.StepDir(step))
	}
	if err != nil {
		return made, fmt.Errorf("start %s: %w", step, err)
	}
	return made, nil
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

// Backup is the directory below the workspace that Reset moves programs to.
const Backup = ".backup"

// Reset moves a step's directory away and starts the step anew. It returns where
// the directory is now. If the new start fails, the old one is put back.
func (w *Workspace) Reset(ctx context.Context, step string, from From) (string, Started, error) {
	if !w.Has(step) {
		return "", Started{}, fmt.Errorf("reset %s in %s: %w", step, w.Dir, ErrNotStarted)
	}
	if err := w.mkdir(filepath.Join(w.Dir, Backup)); err != nil {
		return "", Started{}, fmt.Errorf("reset %s: %w", step, err)
	}
	backup := w.freeBackup(step)
	if err := os.Rename(w.StepDir(step), backup); err != nil {
		return "", Started{}, fmt.Errorf("reset %s: %w", step, err)
	}
	made, err := w.Start(ctx, step, from)
	if err != nil {
		return "", made, errors.Join(err, os.Rename(backup, w.StepDir(step)))
	}
	return backup, made, nil
}

// freeBackup returns the first name for a backup that nothing has.
func (w *Workspace) freeBackup(step string) string {
	for n := 1; ; n++ {
		path := filepath.Join(w.Dir, Backup, fmt.Sprintf("%s-%d", step, n))
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			return path
		}
	}
}

// guide writes START.md: what is the same in all steps around the step's own text.
func (s *Started) guide(step string) ([]byte, error) {
	text, err := stubs.ReadFile("stubs/" + step + "/START.md")
	if err != nil {
		return nil, fmt.Errorf("read the guide of %s: %w", step, err)
	}
	var b strings.Builder
	i := slices.IndexFunc(course.Steps(), func(c course.Step) bool { return c.ID == step })
	info := course.Steps()[i]
	number := step[:2]
	fmt.Fprintf(&b, "# %s: %s\n\n", step, info.Title)
	fmt.Fprintf(&b, "Before: %s. After: %s.\n\n", info.Before, info.After)
	switch {
	case s.Parent == "":
		b.WriteString("The program begins as a frame that compiles and runs nothing.\n")
	case s.From == Mine:
		fmt.Fprintf(&b, "This program begins as your %s.\n", s.Parent)
	case s.Skipped:
		fmt.Fprintf(&b, "This program begins as the reference program of %s, for you have none.\n",
			s.Parent)
	default:
		fmt.Fprintf(&b, "This program begins as the reference program of %s.\n", s.Parent)
	}
	if len(s.Fields) > 0 {
		fmt.Fprintf(&b, "One change is made already: type `container` has the new `%s`.\n",
			strings.Join(s.Fields, "`, `"))
	}
	fmt.Fprintf(&b, "\n%s\n", strings.TrimSpace(string(text)))
	fmt.Fprintf(&b, "\n## Check\n\n"+
		"    lab check %[1]s        what the kernel says of your program\n"+
		"    lab hint %[1]s         a step closer, three times\n"+
		"    lab show %[1]s         the lesson\n"+
		"    lab solution %[1]s     the reference program, as a diff of yours\n"+
		"    lab reset %[1]s        begin anew; what you have is kept\n", number)
	return []byte(b.String()), nil
}
