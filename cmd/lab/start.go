package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"lab/internal/workspace"
)

// newStart makes `lab start [STEP]`.
func newStart() *cobra.Command {
	var dir, from string
	cmd := &cobra.Command{
		Use:   "start [STEP]",
		Short: "Begin a step of your own",
		Long: "Makes the directory of a step in your workspace. It begins as your program of\n" +
			"the step before, with the files of the new topic: what the topic is about is\n" +
			"yours to write. START.md there says what to do. Nothing is ever overwritten.\n" +
			"Without STEP it is the first that has not passed.",
		Example: "  lab start 01\n  lab start 04 --from reference",
		GroupID: groupLearn,
		Args:    arguments(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			kept, err := openProgress(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			step, err := named(args, kept.Next)
			if err != nil {
				return err
			}
			w, err := workspace.Find(dir)
			if err != nil {
				return err
			}
			if w.Has(step.ID) {
				err := fmt.Errorf("start %s: %s: %w", step.ID, nearby(w.StepDir(step.ID)),
					workspace.ErrExists)
				return adviseStart(err, step, "start")
			}
			origin, err := whereFrom(w, kept, step, "start", from)
			if err != nil {
				return err
			}
			made, err := w.Start(cmd.Context(), step.ID, origin)
			if err != nil {
				return adviseStart(err, step, "start")
			}
			printStarted(cmd, step, made)
			return nil
		},
	}
	workspaceFlag(cmd, &dir)
	fromFlag(cmd, &from)
	return cmd
}
