//go:build linux

package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"lab/internal/isolation"
)

// newInspect makes `lab inspect`.
func newInspect() *cobra.Command {
	var o lookOptions
	cmd := &cobra.Command{
		Use:   "inspect PID",
		Short: "What a process shares with you, and what is isolated",
		Long: "Shows on one page the namespaces, cgroups, limits, mounts, ids, capabilities and\n" +
			"filters of a process beside yours: what is shared, what isolated, what that\n" +
			"means, and which file says so. PID may be " + lastWord + ".",
		Example: "  lab inspect last\n  lab inspect --watch 4711",
		GroupID: groupLook,
		Args:    arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.show(cmd, func() (view, error) { return viewProcess(args[0]) })
		},
	}
	o.flags(cmd)
	return cmd
}

// viewProcess reads one process.
func viewProcess(arg string) (view, error) {
	pid, err := pidArg(arg)
	if err != nil {
		return view{}, fmt.Errorf("inspect %s: %w", arg, err)
	}
	page, err := isolation.Of(pid)
	if err != nil {
		return view{}, unreadable(fmt.Errorf("inspect %s: %w", arg, err))
	}
	return view{page.Print, page.Document()}, nil
}
