package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"lab/internal/course"
	"lab/internal/hint"
	"lab/internal/progress"
	"lab/internal/render"
	"lab/internal/screen"
)

// newHint makes `lab hint N`.
func newHint() *cobra.Command {
	var level int
	cmd := &cobra.Command{
		Use:   "hint [STEP]",
		Short: "A hint, and each time one that says more",
		Long: "Shows the next of three hints to a step, without STEP to the one you are at. The\n" +
			"first is about what the last check found wrong; the third all but says it.",
		Example: "  lab hint\n  lab hint 03 --level 1",
		GroupID: groupLearn,
		Args:    arguments(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := openProgress(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			step, err := chosen(f, args)
			if err != nil {
				return err
			}
			if !cmd.Flags().Changed("level") {
				level = min(f.Hints(step.ID)+1, hint.Levels)
			}
			if err := showHint(screen.Of(cmd.OutOrStdout()), f, step, level); err != nil {
				return err
			}
			if level <= f.Hints(step.ID) {
				return nil
			}
			f.SetHints(step.ID, level)
			return f.Save()
		},
	}
	cmd.Flags().IntVar(&level, "level", 0, "the `N`-th hint, 1 to 3")
	return cmd
}

// showHint prints one hint, what it answers, and how to get the next.
func showHint(s screen.Screen, f *progress.File, step course.Step, level int) error {
	hints, err := hint.Of(step.ID)
	if err != nil {
		return err
	}
	var failed *progress.Failure
	if failure, ok := f.LastFailure(step.ID); ok {
		failed = &failure
	}
	text, err := hints.Get(level, failed)
	if errors.Is(err, hint.ErrLevel) {
		return hinted{fmt.Errorf("%w: %w", errUsage, err), "lab hint " + step.ID[:2]}
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(s, s.Bold(fmt.Sprintf("%s: %s, hint %d of %d", step.ID, step.Title, level,
		hint.Levels)))
	if failed != nil && level == 1 {
		about := screen.Wrap("Your last check failed: "+s.Clean(failed.Check), s.Width)
		fmt.Fprintln(s, strings.Join(about, "\n"))
	}
	fmt.Fprintf(s, "\n%s\n", render.Markdown(text, render.Options{Screen: s}))
	next := "lab hint " + step.ID[:2]
	if level == hint.Levels {
		next = "lab solution " + step.ID[:2]
	}
	_, err = fmt.Fprintf(s, "Next: %s\n", next)
	return err
}
