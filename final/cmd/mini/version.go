package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
)

// version is what `mini version` says.
const version = "0.1.0"

// newVersion makes `mini version`.
func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "The version of mini",
		GroupID: groupSystem,
		Args:    arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "mini", version,
				runtime.GOOS+"/"+runtime.GOARCH)
			return err
		},
	}
}
