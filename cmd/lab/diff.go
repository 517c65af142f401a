package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/fatih/color"
	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"lab/internal/course"
	"lab/steps"
)

// newDiff makes `lab diff A B`.
func newDiff() *cobra.Command {
	return &cobra.Command{
		Use:     "diff A B",
		Short:   "What step B changes in step A's program",
		Example: "  lab diff 02 03",
		GroupID: groupRun,
		Args:    arguments(2, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, errA := course.Find(args[0])
			b, errB := course.Find(args[1])
			if err := errors.Join(errA, errB); err != nil {
				return hinted{fmt.Errorf("%w: %w", errUsage, err), "lab list"}
			}
			text, err := diffSteps(a.ID, b.ID)
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(cmd.OutOrStdout(), paintDiff(text))
			return err
		},
	}
}

// diffSteps compares two steps' programs, file by file; tests are left out.
func diffSteps(a, b string) (string, error) {
	old, err := sources(a)
	if err != nil {
		return "", err
	}
	now, err := sources(b)
	if err != nil {
		return "", err
	}
	names := map[string]bool{}
	for name := range old {
		names[name] = true
	}
	for name := range now {
		names[name] = true
	}
	var out strings.Builder
	for _, name := range slices.Sorted(maps.Keys(names)) {
		out.Write(diff.Diff(a+"/"+name, old[name], b+"/"+name, now[name]))
	}
	return out.String(), nil
}

// sources returns the files of a step's program by name.
func sources(step string) (map[string][]byte, error) {
	entries, err := fs.ReadDir(steps.Files, step)
	if err != nil {
		return nil, fmt.Errorf("read the source of %s: %w", step, err)
	}
	files := map[string][]byte{}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		text, err := fs.ReadFile(steps.Files, step+"/"+e.Name())
		if err != nil {
			return nil, fmt.Errorf("read the source of %s: %w", step, err)
		}
		files[e.Name()] = text
	}
	return files, nil
}

// paintDiff colours added and removed lines where colour is wanted; the signs
// stay.
func paintDiff(text string) string {
	green, red := color.New(color.FgGreen), color.New(color.FgRed)
	var out strings.Builder
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, "+"):
			out.WriteString(green.Sprint(line))
		case strings.HasPrefix(line, "-"):
			out.WriteString(red.Sprint(line))
		default:
			out.WriteString(line)
		}
	}
	return out.String()
}
