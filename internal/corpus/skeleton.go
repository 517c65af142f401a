//go:build linux

package corpus

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"lab/internal/course"
	"lab/internal/workspace"
)

// Skeletons is the kind of the programs with which a learner begins: each fails
// for the reason that its topic is not written yet.
const Skeletons = "skeletons"

// The states of a skeleton.
const (
	begun  = "begun"  // as lab start makes it
	edited = "edited" // with the edits in carried files that START.md lists
)

// Begun returns what lab start makes of each step.
func Begun() []Entry { return skeletons(begun, "what lab start makes") }

// Edited returns the same when the edits of START.md are made: all that is left
// to do is in the new files.
func Edited() []Entry { return skeletons(edited, "what START.md makes of it") }

// skeletons returns an entry for each step.
func skeletons(state, about string) []Entry {
	diagnoses := map[string]string{
		"00-exec": "gave-up", "01-uts": "no-clone-newuts", "02-pid": "no-clone-newpid",
		"04-net": "no-clone-newnet",
	}
	var all []Entry
	for _, s := range course.Steps() {
		e := Entry{Kind: Skeletons, Step: s.ID, Name: state, About: about, Diagnosis: "gave-up"}
		if diagnosis, known := diagnoses[s.ID]; state == begun && known {
			e.Diagnosis = diagnosis
		} else if state == begun {
			e.Diagnosis = "flag-unknown" // the checks use the flag that the step brings
		}
		all = append(all, e)
	}
	return all
}

// buildSkeleton starts the step in a workspace in the directory dir and builds it.
func (e Entry) buildSkeleton(ctx context.Context, dir, out string) error {
	w, err := workspace.Find(filepath.Join(dir, "workspace"))
	if err != nil {
		return err
	}
	if _, err := w.Start(ctx, e.Step, workspace.Reference); err != nil {
		return err
	}
	if e.Name == edited {
		if err := makeEdits(w, e.Step); err != nil {
			return err
		}
	}
	return w.Build(ctx, e.Step, out)
}

// makeEdits changes the carried files of a skeleton as the reference does.
func makeEdits(w *workspace.Workspace, step string) error {
	path := course.UpTo(step)
	if len(path) < 2 {
		return nil
	}
	parent, err := workspace.ReferenceOf(path[len(path)-2].ID)
	if err != nil {
		return err
	}
	reference, err := workspace.ReferenceOf(step)
	if err != nil {
		return err
	}
	for _, name := range parent.Names() {
		text := string(reference[name])
		if step == "04-net" {
			// The stub of nat.go has it, for the new files use it before any edit.
			text = strings.Replace(text, "var errNoNftables = ", "var _ = ", 1)
		}
		file := filepath.Join(w.StepDir(step), name)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil { //nolint:gosec // source
			return err
		}
	}
	return nil
}
