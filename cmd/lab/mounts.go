//go:build linux

package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"lab/internal/mountview"
)

// newMounts makes `lab mounts`.
func newMounts() *cobra.Command {
	var o lookOptions
	cmd := &cobra.Command{
		Use:   "mounts PID",
		Short: "A process's mounts, beside yours, explained",
		Long: "Shows the mounts of a process as a tree and says what each is: + where you have\n" +
			"none, ~ where you see something else. PID may be " + lastWord + ".",
		Example: "  lab mounts last\n  lab mounts --json 4711",
		GroupID: groupLook,
		Args:    arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.show(cmd, func() (view, error) { return viewMounts(args[0]) })
		},
	}
	o.flags(cmd)
	return cmd
}

// viewMounts reads the mounts of one process.
func viewMounts(arg string) (view, error) {
	pid, err := pidArg(arg)
	if err != nil {
		return view{}, fmt.Errorf("mounts of %s: %w", arg, err)
	}
	mounts, err := mountview.Of(pid)
	if err != nil {
		return view{}, unreadable(fmt.Errorf("mounts of %s: %w", arg, err))
	}
	return view{mounts.Print, mounts.Document()}, nil
}
