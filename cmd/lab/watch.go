//go:build linux

package main

import (
	"errors"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"lab/internal/course"
	"lab/internal/progress"
	"lab/internal/screen"
	"lab/internal/session"
	"lab/internal/workspace"
)

// newWatch makes `lab watch`.
func newWatch() *cobra.Command {
	var o session.Options
	var dir string
	cmd := &cobra.Command{
		Use:   "watch [STEP]",
		Short: "Check your program at each save",
		Long: "Watches the directory of your program of a step, without STEP the one you are\n" +
			"at, and checks it at each save. The keys: n next step, h hint, s lesson, l list\n" +
			"of steps, c check again, r reset, q quit. It never moves on by itself.",
		Example: "  lab watch\n  lab watch 03 --plain",
		GroupID: groupLearn,
		Args:    arguments(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := openProgress(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if o.Step, err = chosen(f, args); err != nil {
				return err
			}
			return watchSaves(cmd, o, dir)
		},
	}
	cmd.Flags().StringVar(&dir, "workspace", "", "directory of your programs")
	cmd.Flags().BoolVar(&o.Plain, "plain", false, "append lines instead of drawing a screen")
	cmd.Flags().BoolVar(&o.Poll, "poll", false, "look at the files again and again")
	return cmd
}

// watchSaves runs the session until it is ended.
func watchSaves(cmd *cobra.Command, o session.Options, dir string) error {
	w, err := workspace.Find(dir)
	if err != nil {
		return err
	}
	if !w.Has(o.Step.ID) {
		return hinted{
			errors.New("watch " + o.Step.ID + ": there is no program of yours in " + w.Dir),
			"lab start " + o.Step.ID[:2],
		}
	}
	o.Lab = []string{"/proc/self/exe"}
	o.Flags = []string{"--workspace", w.Dir}
	o.Dir = w.StepDir
	o.In, o.Out = os.Stdin, os.Stdout
	o.Hint, o.Lesson, o.List = hintPage, lessonPage, listPage
	err = session.Run(cmd.Context(), o)
	if ended, ok := errors.AsType[session.Interrupted](err); ok {
		return exited(128 + int(ended.Signal))
	}
	return err
}

// hintPage is the next hint.
func hintPage(step course.Step) (string, func(screen.Screen) string, error) {
	f, err := progress.Open()
	if err != nil {
		return "", nil, err
	}
	show, err := readHint(f, step, 0)
	return "Hint", show, err
}

// lessonPage is the lesson.
func lessonPage(step course.Step) (string, func(screen.Screen) string, error) {
	text, err := lessonText(step)
	return "Lesson", func(s screen.Screen) string { return showLesson(s, text) }, err
}

// listPage is all steps with their signs.
func listPage(course.Step) (string, func(screen.Screen) string, error) {
	f, err := progress.Open()
	return "Steps", func(s screen.Screen) string {
		var b strings.Builder
		_ = showList(s.To(&b), f) // a builder takes all
		return b.String()
	}, err
}
