package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// newContainer makes `mini container`, with prune, which has no name of its own at the
// top, and the others under the names that docker gives them there.
func newContainer(a *app) *cobra.Command {
	list := newPs(a)
	list.Use = strings.Replace(list.Use, "ps", "ls", 1)
	list.Aliases = []string{"ps", "list"}
	members := []*cobra.Command{
		list, newContainerPrune(a), newRun(a), newCreate(a), newStart(a), newStop(a),
		newRestart(a), newKill(a), newWait(a), newPause(a), newUnpause(a), newRename(a),
		newRemove(a), newExec(a), newAttach(a), newLogs(a), newInspect(a), newDiff(a), newCp(a),
		newCommit(a), newExport(a),
	}
	for _, verb := range members {
		verb.GroupID = ""
	}
	family := newFamily("container", "The verbs about containers, and prune", members...)
	family.GroupID = groupContainers
	return family
}

// newContainerPrune makes `mini container prune`.
func newContainerPrune(a *app) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "prune [-f]",
		Short: "Remove all containers that do not run",
		Args:  arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			warning := "This removes all containers that do not run."
			if yes, err := agreed(cmd, force, warning); err != nil || !yes {
				return err
			}
			if err := a.pruneContainers(cmd); err != nil {
				return fmt.Errorf("container prune: %w", err)
			}
			return nil
		},
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "do not ask")
	return cmd
}

// pruneContainers removes those that do not run.
func (a *app) pruneContainers(cmd *cobra.Command) error {
	e, err := a.engine()
	if err != nil {
		return err
	}
	gone, err := e.Prune()
	for _, c := range gone {
		fmt.Fprintln(cmd.OutOrStdout(), "Deleted:", c.ID)
	}
	return err
}
