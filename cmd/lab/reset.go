package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"lab/internal/course"
	"lab/internal/progress"
	"lab/internal/workspace"
)

// newReset makes `lab reset STEP`.
func newReset() *cobra.Command {
	var dir, from string
	var yes bool
	cmd := &cobra.Command{
		Use:   "reset STEP",
		Short: "Begin a step anew; what you have is kept",
		Long: "Moves your program of a step to the directory .backup of the workspace, under\n" +
			"a number of its own, and starts the step as lab start does.",
		Example: "  lab reset 03",
		GroupID: groupLearn,
		Args:    arguments(1, 1),
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
			return reset(cmd, w, kept, step, from, yes)
		},
	}
	workspaceFlag(cmd, &dir)
	fromFlag(cmd, &from)
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

// reset puts a program away and starts its step anew.
func reset(
	cmd *cobra.Command, w *workspace.Workspace, kept *progress.File, step course.Step,
	from string, yes bool,
) error {
	if !w.Has(step.ID) {
		return adviseStart(fmt.Errorf("reset %s in %s: %w", step.ID, w.Dir,
			workspace.ErrNotStarted), step, "reset")
	}
	origin, err := whereFrom(w, kept, step, "reset", from)
	if err != nil {
		return err
	}
	why := fmt.Errorf("reset %s puts your program away", step.ID)
	if err := confirm(cmd, step, yes, why, "Begin anew?"); err != nil {
		return err
	}
	backup, made, err := w.Reset(cmd.Context(), step.ID, origin)
	if err != nil {
		return adviseStart(err, step, "reset")
	}
	fmt.Fprintf(cmd.OutOrStdout(), "Your %s is now in %s\n\n", step.ID, nearby(backup))
	printStarted(cmd, step, made)
	return nil
}
