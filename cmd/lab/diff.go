package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/fatih/color"
	"github.com/spf13/cobra"

	"lab/internal/course"
	"lab/internal/workspace"
)

// newDiff makes `lab diff A B`.
func newDiff() *cobra.Command {
	var dir string
	var mine bool
	cmd := &cobra.Command{
		Use:   "diff A B",
		Short: "What step B changes in step A's program",
		Long: "Compares the reference programs of two steps, or, with --mine, your own: a\n" +
			"fix that you make in an earlier step is not in the later ones until you make\n" +
			"it there.",
		Example: "  lab diff 02 03\n  lab diff --mine 02 03",
		GroupID: groupRun,
		Args:    arguments(2, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, errA := course.Find(args[0])
			b, errB := course.Find(args[1])
			if err := errors.Join(errA, errB); err != nil {
				return hinted{fmt.Errorf("%w: %w", errUsage, err), "lab list"}
			}
			text, err := diffSteps(a, b)
			if mine {
				text, err = diffMine(cmd, dir, a, b)
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(cmd.OutOrStdout(), paintDiff(text))
			return err
		},
	}
	workspaceFlag(cmd, &dir)
	cmd.Flags().BoolVar(&mine, "mine", false, "compare your own programs")
	return cmd
}

// diffSteps compares the reference programs of two steps, file by file; tests are
// left out.
func diffSteps(a, b course.Step) (string, error) {
	old, err := workspace.ReferenceOf(a.ID)
	if err != nil {
		return "", err
	}
	now, err := workspace.ReferenceOf(b.ID)
	if err != nil {
		return "", err
	}
	return workspace.Compare(a.ID, old, b.ID, now), nil
}

// diffMine compares the learner's programs of two steps.
func diffMine(cmd *cobra.Command, dir string, a, b course.Step) (string, error) {
	var programs [2]workspace.Files
	for i, step := range []course.Step{a, b} {
		t, err := newTask(cmd, dir, []string{step.ID})
		if err != nil {
			return "", err
		}
		if programs[i], err = t.workspace.Own(step.ID); err != nil {
			return "", t.advise(err)
		}
	}
	return workspace.Compare("yours/"+a.ID, programs[0], "yours/"+b.ID, programs[1]), nil
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
