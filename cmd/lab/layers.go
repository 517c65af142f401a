//go:build linux

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"

	"github.com/spf13/cobra"

	"lab/internal/layers"
	"lab/internal/screen"
)

// newLayers makes `lab layers`.
func newLayers() *cobra.Command {
	var all bool
	var o lookOptions
	cmd := &cobra.Command{
		Use:   "layers PID|DIR [LOWER…]",
		Short: "An overlay explained: which layer each file comes from",
		Long: "Shows the layers of the overlay that is a process's root, or that a directory is\n" +
			"on: their sizes, what was copied up, and what whiteouts and opaque directories\n" +
			"hide. Several directories are the layers themselves, the topmost first. PID may\n" +
			"be " + lastWord + ".",
		Example: "  lab layers last\n  lab layers /changes /image",
		GroupID: groupLook,
		Args:    arguments(1, 501),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.show(cmd, func() (view, error) {
				stack, err := stackOf(args)
				if err != nil {
					return view{}, err
				}
				text := func(to screen.Screen) { stack.Print(to, all) }
				return view{text, stack.Document()}, nil
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "show every file, not only changes")
	o.flags(cmd)
	return cmd
}

// stackOf reads the overlay of a process, of a directory, or of some directories.
func stackOf(args []string) (*layers.Stack, error) {
	if len(args) > 1 {
		stack, err := layers.OfDirectories(args)
		if err != nil {
			return nil, hinted{fmt.Errorf("layers: %w", err), "lab layers UPPER LOWER…"}
		}
		return stack, nil
	}
	arg := args[0]
	var stack *layers.Stack
	_, notNumber := strconv.Atoi(arg)
	if notNumber == nil || arg == lastWord {
		pid, err := pidArg(arg)
		if err != nil {
			return nil, fmt.Errorf("layers of %s: %w", arg, err)
		}
		if stack, err = layers.OfProcess(pid); err != nil {
			return nil, noStack(arg, err)
		}
		return stack, nil
	}
	stack, err := layers.OfDirectory(arg)
	if err != nil {
		return nil, noStack(arg, err)
	}
	return stack, nil
}

// noStack says what could be asked instead.
func noStack(arg string, err error) error {
	err = fmt.Errorf("layers of %s: %w", arg, err)
	switch {
	case errors.Is(err, layers.ErrNoOverlay):
		const ways = "lab tour --hold 06 makes one; lab layers UPPER LOWER… takes directories"
		return hinted{err, ways}
	case errors.Is(err, fs.ErrNotExist):
		return hinted{err, "a process's number, or a directory"}
	}
	return unreadable(err)
}
