package main

import (
	"fmt"
	"path"
	"strings"

	"github.com/spf13/cobra"

	"lab/internal/course"
	"lab/internal/progress"
	"lab/internal/render"
	"lab/internal/screen"
	"lab/steps"
)

// newShow makes `lab show N`.
func newShow() *cobra.Command {
	var raw bool
	cmd := &cobra.Command{
		Use:   "show [STEP]",
		Short: "Read a step's lesson",
		Long: "Shows the lesson of a step, without STEP of the one you are at. On a terminal it\n" +
			"goes through $PAGER, or less.",
		Example: "  lab show 03\n  lab show 03 --raw >lesson.md",
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
			text, err := lessonText(step)
			if err != nil {
				return err
			}
			s := screen.Of(cmd.OutOrStdout())
			if raw {
				_, err = fmt.Fprint(s, text)
				return err
			}
			return s.Page(showLesson(s, text))
		},
	}
	cmd.Flags().BoolVar(&raw, "raw", false, "print the Markdown as it is")
	return cmd
}

// chosen returns the step that was named, or the one that the learner is at.
func chosen(f *progress.File, args []string) (course.Step, error) {
	if len(args) > 0 {
		step, err := course.Find(args[0])
		if err != nil {
			return step, hinted{fmt.Errorf("%w: %w", errUsage, err), "lab list"}
		}
		return step, nil
	}
	step, more := f.Current()
	if !more {
		return step, hinted{
			fmt.Errorf("%w: which step? You have passed them all", errUsage), "lab list",
		}
	}
	return step, nil
}

// lessonText returns a step's lesson in Markdown.
func lessonText(step course.Step) (string, error) {
	text, err := steps.Files.ReadFile(step.ID + "/README.md")
	if err != nil {
		return "", fmt.Errorf("read the lesson: %w", err)
	}
	return string(text), nil
}

// showLesson returns a lesson as a screen shows it.
func showLesson(s screen.Screen, text string) string {
	return render.Markdown(text, render.Options{Screen: s, Link: lessonOf})
}

// lessonOf says how to read the lesson that a link leads to. The names of source
// files say themselves where they are.
func lessonOf(address string) string {
	if step, err := course.Find(path.Base(path.Dir(address))); err == nil &&
		strings.HasSuffix(address, "/README.md") {
		return "lab show " + step.ID[:2]
	}
	return ""
}
