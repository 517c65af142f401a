package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// newDiff makes `mini diff`.
func newDiff(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "diff CONTAINER",
		Short:   "What a container has added (A), changed (C) and deleted (D)",
		GroupID: groupLook,
		Args:    arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, c, err := a.one("diff", args[0])
			if err != nil {
				return err
			}
			all, err := e.Diff(c)
			if err != nil {
				return about("diff", args[0], err)
			}
			for _, change := range all {
				fmt.Fprintf(cmd.OutOrStdout(), "%c %s\n", change.Kind, change.Name)
			}
			return nil
		},
	}
}
