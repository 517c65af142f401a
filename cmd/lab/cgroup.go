//go:build linux

package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"lab/internal/cgroupview"
	"lab/internal/screen"
)

// newCgroup makes `lab cgroup`.
func newCgroup() *cobra.Command {
	var o lookOptions
	cmd := &cobra.Command{
		Use:   "cgroup PID [CONTROLLER…]",
		Short: "A process's cgroups: limits, usage and events, explained",
		Long: "Shows in which cgroups a process is and what the files there say, on version 1\n" +
			"and 2. CONTROLLER leaves one such as memory or cpu. PID may be " + lastWord + ".",
		Example: "  lab cgroup last memory\n  lab cgroup --watch 4711 memory pids",
		GroupID: groupLook,
		Args:    arguments(1, 20),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.show(cmd, func() (view, error) { return viewCgroups(args[0], args[1:]) })
		},
	}
	o.flags(cmd)
	return cmd
}

// viewCgroups reads the cgroups of one process.
func viewCgroups(arg string, controllers []string) (view, error) {
	pid, err := pidArg(arg)
	if err != nil {
		return view{}, fmt.Errorf("cgroup of %s: %w", arg, err)
	}
	all, err := cgroupview.Of(pid)
	if err != nil {
		return view{}, unreadable(fmt.Errorf("cgroup of %s: %w", arg, err))
	}
	chosen := cgroupview.Choose(all, controllers)
	if len(chosen) == 0 {
		return view{}, noController(arg, controllers, all)
	}
	text := func(to screen.Screen) { cgroupview.Print(to, chosen) }
	return view{text, cgroupview.Documents(chosen)}, nil
}

// noController says which controllers there are instead.
func noController(arg string, controllers []string, all []cgroupview.Cgroup) error {
	var names []string
	for _, c := range all {
		names = append(names, c.Controllers...)
	}
	slices.Sort(names)
	hint := "it has " + strings.Join(slices.Compact(names), " ")
	if len(names) == 0 {
		hint = "none is enabled in its cgroup"
	}
	return hinted{
		fmt.Errorf("%w: cgroup of %s: there is no controller %s",
			errUsage, arg, strings.Join(controllers, " or ")), hint,
	}
}
