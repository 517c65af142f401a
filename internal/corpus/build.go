//go:build linux

package corpus

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"lab/internal/program"
)

// Build makes the entry's program, stripped, at the path out.
func (e Entry) Build(ctx context.Context, checkout, out string) error {
	return e.BuildChanged(ctx, checkout, out, func(string) error { return nil })
}

// BuildChanged is Build of a source that is changed before: the diff's files are in
// the directory that change is given.
func (e Entry) BuildChanged(
	ctx context.Context, checkout, out string, change func(dir string) error,
) error {
	dir, err := os.MkdirTemp("", "lab-corpus-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	switch filepath.Ext(e.Path) {
	case "":
		err = e.buildSkeleton(ctx, dir, out)
	case ".diff":
		var overlay string
		if overlay, err = e.overlay(ctx, checkout, dir); err == nil {
			err = change(dir)
		}
		if err == nil {
			err = goBuild(ctx, checkout, out, "-overlay", overlay, program.Package(e.Step))
		}
	case ".go":
		err = goBuild(ctx, checkout, out, e.Path)
	default:
		var text []byte
		if text, err = os.ReadFile(e.Path); err == nil {
			err = os.WriteFile(out, text, 0o755) //nolint:gosec // to be executed, by anybody
		}
	}
	if err != nil {
		return fmt.Errorf("build %s: %w", e.ID(), err)
	}
	return nil
}

// overlay applies the diff to a copy of the step's files. The checkout stays as
// it is: the compiler is told to read other files in the place of its own.
//
//	{"Replace": {"/src/steps/01-uts/main.go": "/tmp/…/main.go"}}
func (e Entry) overlay(ctx context.Context, checkout, dir string) (string, error) {
	replace := map[string]string{}
	files, err := filepath.Glob(filepath.Join(checkout, "steps", e.Step, "*.go"))
	if err != nil {
		return "", err
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		replace[file] = filepath.Join(dir, filepath.Base(file))
		if err := os.WriteFile(replace[file], text, 0o600); err != nil {
			return "", err
		}
	}
	// The files may stand in a repository's directory, of which git is to know
	// nothing.
	apply := exec.CommandContext(ctx, "git", "apply", "--whitespace=nowarn", e.Path)
	apply.Dir = dir
	apply.Env = append(os.Environ(),
		"GIT_DIR=/dev/null", "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir))
	if said, err := apply.CombinedOutput(); err != nil {
		return "", fmt.Errorf("git apply: %w: %s", err, said)
	}
	added, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return "", err
	}
	for _, file := range added { // a diff may bring files
		replace[filepath.Join(checkout, "steps", e.Step, filepath.Base(file))] = file
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, text, 0o600)
}

// goBuild runs go build in the checkout.
func goBuild(ctx context.Context, checkout, out string, args ...string) error {
	goTool, err := program.Go()
	if err != nil {
		return err
	}
	args = append([]string{
		"build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", out,
	}, args...)
	cmd := exec.CommandContext(ctx, goTool, args...)
	cmd.Dir = checkout
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, said)
	}
	return nil
}
