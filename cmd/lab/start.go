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
			t, err := newTask(cmd, dir, args)
			if err != nil {
				return err
			}
			return t.start(from)
		},
	}
	workspaceFlag(cmd, &dir)
	fromFlag(cmd, &from)
	return cmd
}

// start makes the directory of a step.
func (t *task) start(from string) error {
	if dir := t.workspace.StepDir(t.step.ID); t.workspace.Has(t.step.ID) {
		return t.advise(fmt.Errorf("start %s: %s: %w", t.step.ID, nearby(dir),
			workspace.ErrExists))
	}
	origin, err := t.origin(from)
	if err != nil {
		return err
	}
	made, err := t.workspace.Start(t.cmd.Context(), t.step.ID, origin)
	if err != nil {
		return t.advise(err)
	}
	t.printStarted(made)
	return nil
}
