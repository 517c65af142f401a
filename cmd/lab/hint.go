package main

import (
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
			if cmd.Flags().Changed("level") && (level < 1 || level > hint.Levels) {
				return hinted{
					fmt.Errorf("%w: hint %d: %w", errUsage, level, hint.ErrLevel),
					"lab hint " + step.ID[:2],
				}
			}
			show, err := readHint(f, step, level)
			if err != nil {
				return err
			}
			s := screen.Of(cmd.OutOrStdout())
			_, err = fmt.Fprint(s, show(s))
			return err
		},
	}
	cmd.Flags().IntVar(&level, "level", 0, "the `N`-th hint, 1 to 3")
	return cmd
}

// readHint returns a hint as it is shown: what it answers, itself, and how to get
// the next one.
func readHint(
	f *progress.File, step course.Step, level int,
) (show func(screen.Screen) string, err error) {
	failure, failed := f.LastFailure(step.ID)
	text, level, err := hint.Next(f, step.ID, level)
	if text == "" {
		return nil, err
	}
	next := "lab hint " + step.ID[:2]
	if level == hint.Levels {
		next = "lab solution " + step.ID[:2]
	}
	return func(s screen.Screen) string {
		var b strings.Builder
		fmt.Fprintln(&b, s.Bold(fmt.Sprintf("%s: %s, hint %d of %d", step.ID, step.Title, level,
			hint.Levels)))
		if failed && level == 1 {
			about := screen.Wrap("Your last check failed: "+s.Clean(failure.Check), s.Width)
			fmt.Fprintln(&b, strings.Join(about, "\n"))
		}
		fmt.Fprintf(&b, "\n%s\n", render.Markdown(text, render.Options{Screen: s}))
		if err != nil {
			fmt.Fprintf(&b, "%v\n", err) // a home that cannot be written to
		}
		fmt.Fprintf(&b, "Next: %s\n", next)
		return b.String()
	}, nil
}
