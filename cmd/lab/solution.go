package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"lab/internal/course"
	"lab/internal/workspace"
)

// newSolution makes `lab solution [STEP]`.
func newSolution() *cobra.Command {
	var dir string
	var yes bool
	cmd := &cobra.Command{
		Use:   "solution [STEP]",
		Short: "The reference program, as a diff of yours",
		Long: "Shows what would have to change in your program of a step to make it the\n" +
			"reference program. Where yours has not passed its checks it asks first: lab\n" +
			"hint tells less. Without STEP it is the first that has not passed.",
		Example: "  lab solution 03",
		GroupID: groupLearn,
		Args:    arguments(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			kept, err := openProgress(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			step, err := named(args, kept.Current)
			if err != nil {
				return err
			}
			w, err := workspace.Find(dir)
			if err != nil {
				return err
			}
			return solution(cmd, w, kept.Passed(step.ID), step, yes)
		},
	}
	workspaceFlag(cmd, &dir)
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

// solution prints the way from the learner's program to the reference.
func solution(
	cmd *cobra.Command, w *workspace.Workspace, passed bool, step course.Step, yes bool,
) error {
	text, err := w.Diff(step.ID)
	if err != nil {
		return adviseStart(err, step, "solution")
	}
	why := fmt.Errorf("your %s has not passed its checks", step.ID)
	if err := confirm(cmd, step, yes || passed, why, "Show the solution?"); err != nil {
		return err
	}
	if text == "" {
		text = fmt.Sprintf("Your %s is the reference program.\n", step.ID)
	}
	_, err = fmt.Fprint(cmd.OutOrStdout(), paintDiff(text))
	return err
}
