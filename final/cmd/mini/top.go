package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// newTop makes `mini top`.
func newTop(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "top CONTAINER [WORD OF PS…]",
		Short:   "Show a container's processes, as the host's ps does",
		GroupID: groupLook,
		Args:    arguments(1, many),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, c, err := a.one("top", args[0])
			if err != nil {
				return err
			}
			lines, err := e.Top(c, args[1:])
			if err != nil {
				return about("top", args[0], err)
			}
			for _, line := range lines {
				fmt.Fprintln(cmd.OutOrStdout(), line)
			}
			return nil
		},
	}
	cmd.Flags().SetInterspersed(false) // what follows is for ps
	return cmd
}
