package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// newPort makes `mini port`.
func newPort(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "port CONTAINER [PORT[/PROTOCOL]]",
		Short:   "Show where a container's ports are on the host",
		GroupID: groupLook,
		Args:    arguments(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, c, err := a.one("port", args[0])
			if err != nil {
				return err
			}
			_, published, err := e.Addresses(c)
			if err != nil {
				return about("port", args[0], err)
			}
			wanted := ""
			if len(args) > 1 {
				if wanted = args[1]; !strings.Contains(wanted, "/") {
					wanted += "/tcp"
				}
			}
			found := false
			for _, p := range published {
				inside := fmt.Sprintf("%d/%s", p.Container, p.Proto)
				switch wanted {
				case "":
					fmt.Fprintf(cmd.OutOrStdout(), "%s -> %s\n", inside, p.HostAddress())
				case inside:
					found = true
					fmt.Fprintln(cmd.OutOrStdout(), p.HostAddress())
				}
			}
			if wanted != "" && !found {
				return fmt.Errorf("port %s: it publishes no port %s now", args[0], wanted)
			}
			return nil
		},
	}
}
