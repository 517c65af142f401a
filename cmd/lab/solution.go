package main

import (
	"fmt"

	"github.com/spf13/cobra"
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
			t, err := newTask(cmd, dir, args)
			if err != nil {
				return err
			}
			return t.solution(yes)
		},
	}
	workspaceFlag(cmd, &dir)
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

// solution prints the way from the learner's program to the reference.
func (t *task) solution(yes bool) error {
	text, err := t.workspace.Diff(t.step.ID)
	if err != nil {
		return t.advise(err)
	}
	if !yes && !t.kept.Passed(t.step.ID) {
		why := fmt.Errorf("your %s has not passed its checks", t.step.ID)
		if err := t.confirm(why, "Show the solution?"); err != nil {
			return err
		}
	}
	if text == "" {
		text = fmt.Sprintf("Your %s is the reference program.\n", t.step.ID)
	}
	_, err = fmt.Fprint(t.cmd.OutOrStdout(), paintDiff(text))
	return err
}
