//go:build linux

package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"lab/internal/journal"
	"lab/internal/nsview"
	"lab/internal/screen"
)

// nsOptions is the command line of `lab ns`.
type nsOptions struct {
	all, tree bool
	look      lookOptions
}

// newNS makes `lab ns`.
func newNS() *cobra.Command {
	var o nsOptions
	cmd := &cobra.Command{
		Use:   "ns [PID…]",
		Short: "Who is in which namespace",
		Long: "Shows the namespaces of one process beside yours, or of several as a matrix: a\n" +
			"dot is your namespace, a letter another one, and the same letter in a column is\n" +
			"the same namespace. Without PID it is the matrix of all processes. PID may be\n" +
			lastWord + ", the newest container of lab run, check or tour.",
		Example: "  lab ns\n  lab ns last\n  lab ns 1 4711\n  lab ns --tree",
		GroupID: groupLook,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(args); err != nil {
				return err
			}
			names := nsview.NewLetters()
			return o.look.show(cmd, func() (view, error) { return viewNS(o, names, args) })
		},
	}
	cmd.Flags().BoolVar(&o.all, "all", false, "list every namespace with its processes")
	cmd.Flags().BoolVar(&o.tree, "tree", false, "draw user and pid namespaces as trees")
	o.look.flags(cmd)
	return cmd
}

// check refuses what contradicts itself.
func (o nsOptions) check(args []string) error {
	switch {
	case o.all && o.tree:
		return hinted{
			fmt.Errorf("%w: --all and --tree are two pictures", errUsage), "lab ns --tree",
		}
	case len(args) > 0 && (o.all || o.tree):
		return hinted{
			fmt.Errorf("%w: --all and --tree show all processes and take no PID", errUsage),
			"lab ns " + args[0],
		}
	}
	return nil
}

// viewNS reads the processes that are asked for.
func viewNS(o nsOptions, names *nsview.Letters, args []string) (view, error) {
	survey, err := surveyNS(args)
	if err != nil {
		return view{}, err
	}
	text := func(to screen.Screen) {
		switch {
		case o.all:
			survey.List(to)
		case o.tree:
			survey.Tree(to)
		case len(args) == 1:
			survey.Beside(to)
		default:
			last, _ := journal.Last() // without one nothing is marked
			survey.Matrix(to, names, last)
		}
	}
	return view{text, survey.Document()}, nil
}

// surveyNS reads the given processes, or all.
func surveyNS(args []string) (*nsview.Survey, error) {
	if len(args) == 0 {
		return nsview.All()
	}
	var pids []int
	for _, arg := range args {
		pid, err := pidArg(arg)
		if err != nil {
			return nil, fmt.Errorf("ns of %s: %w", arg, err)
		}
		pids = append(pids, pid)
	}
	survey, err := nsview.Of(pids)
	if err != nil {
		return nil, unreadable(fmt.Errorf("ns of %w", err))
	}
	return survey, nil
}
