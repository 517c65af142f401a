package main

import (
	"github.com/spf13/cobra"
)

// newDebug makes `mini debug`.
func newDebug(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "debug CONTAINER [COMMAND [ARG…]]",
		Short:   "Look into a container that has no shell, with the built-in tools",
		GroupID: groupContainers,
		Args:    arguments(1, many),
		RunE: func(_ *cobra.Command, args []string) error {
			command := args[1:]
			if len(command) == 0 {
				command = []string{"sh"}
			}
			e, c, err := a.one("", args[0])
			status := 0
			if err == nil {
				if status, err = e.Debug(c, command); err != nil {
					err = about("", args[0], err)
				}
			}
			return outcome("debug", status, err)
		},
	}
	cmd.Flags().SetInterspersed(false) // what follows is the command's
	return passesStatus(cmd)
}
