package workspace

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"lab/internal/program"
)

// ErrNotStarted means that a step is not in the workspace.
var ErrNotStarted = errors.New("it was not started")

// BuildError is what the compiler has to say about a program.
type BuildError struct {
	Step   string
	Output string // the compiler's, as it is
}

// Error returns the compiler's words below a line of ours.
func (e *BuildError) Error() string {
	return fmt.Sprintf("%s does not build:\n%s", e.Step, e.Output)
}

// Build compiles a step's program into the file output, as the learner, who must
// be able to write it. It uses no network. An error of type *BuildError is the
// compiler's.
func (w *Workspace) Build(ctx context.Context, step, output string) error {
	if !w.Has(step) {
		return fmt.Errorf("build %s in %s: %w", step, w.Dir, ErrNotStarted)
	}
	// go build makes a library of any other package, and says nothing.
	name, err := packageName(w.StepDir(step))
	if err != nil {
		return fmt.Errorf("build %s: %w", step, err)
	}
	if name != "" && name != "main" {
		return &BuildError{step, fmt.Sprintf(
			"%s: package %s is not a program; it has to be package main", step, name)}
	}
	// Somebody may have tidied up.
	if _, err := os.Stat(filepath.Join(w.Dir, "vendor", "modules.txt")); err != nil {
		if err := w.prepare(); err != nil {
			return fmt.Errorf("build %s: %w", step, err)
		}
	}
	return w.compile(ctx, step, output)
}

// compile runs go build.
func (w *Workspace) compile(ctx context.Context, dir, output string) error {
	goTool, err := program.Go()
	if err != nil {
		return fmt.Errorf("build %s: %w", dir, err)
	}
	// With gcc on PATH a program that imports net would be linked dynamically
	// and fail with a bare ENOENT in a root without a loader.
	cmd := exec.CommandContext(ctx, goTool, "build", "-mod=vendor", "-trimpath", "-buildvcs=false",
		"-o", output, "./"+dir)
	cmd.Dir = w.Dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOFLAGS=", "GOWORK=off",
		"GOPROXY=off", "GOTOOLCHAIN=local", "PWD="+w.Dir)
	program.RunAs(cmd, w.owner)
	text, err := cmd.CombinedOutput()
	if _, ended := errors.AsType[*exec.ExitError](err); ended && ctx.Err() == nil {
		said := strings.TrimSpace(string(bytes.ToValidUTF8(text, nil)))
		return &BuildError{filepath.Base(dir), said}
	}
	if err != nil {
		return fmt.Errorf("go build ./%s: %w", dir, errors.Join(ctx.Err(), err))
	}
	return nil
}

// packageName returns the name of the package in a directory, main if one of its
// files says so, and "" if no file says anything that can be read.
func packageName(dir string) (string, error) {
	files, err := ownFiles(dir)
	if err != nil {
		return "", err
	}
	var names []string
	for name, text := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.PackageClauseOnly)
		if err == nil {
			names = append(names, file.Name.Name)
		}
	}
	slices.Sort(names)
	switch {
	case slices.Contains(names, "main"):
		return "main", nil
	case len(names) > 0:
		return names[0], nil
	}
	return "", nil
}
