package main

import (
	"fmt"

	"github.com/spf13/cobra"

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
			t, err := newTask(cmd, dir, args)
			if err != nil {
				return err
			}
			return t.reset(from, yes)
		},
	}
	workspaceFlag(cmd, &dir)
	fromFlag(cmd, &from)
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

// reset puts a program away and starts its step anew.
func (t *task) reset(from string, yes bool) error {
	step := t.step.ID
	if !t.workspace.Has(step) {
		return t.advise(fmt.Errorf("reset %s in %s: %w", step, nearby(t.workspace.Dir),
			workspace.ErrNotStarted))
	}
	origin, err := t.origin(from)
	if err != nil {
		return err
	}
	if !yes {
		why := fmt.Errorf("reset %s puts your program away", step)
		if err := t.confirm(why, "Begin anew?"); err != nil {
			return err
		}
	}
	backup, made, err := t.workspace.Reset(t.cmd.Context(), step, origin)
	if err != nil {
		return t.advise(err)
	}
	fmt.Fprintf(t.cmd.OutOrStdout(), "Your %s is now in %s\n\n", step, nearby(backup))
	t.printStarted(made)
	return nil
}
