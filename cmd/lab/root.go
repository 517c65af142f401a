package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"lab/internal/course"
	"lab/internal/need"
)

// The groups of commands, in the order of --help.
const (
	groupLearn = "learn"
	groupRun   = "run"
	groupLook  = "look"
	groupKeep  = "keep"
)

// newRoot makes the command line: one file a command.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "lab",
		Short:         "Understand Linux containers by building one",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return welcome(cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	root.AddGroup(
		&cobra.Group{ID: groupLearn, Title: "Learn:"},
		&cobra.Group{ID: groupRun, Title: "Run:"},
		&cobra.Group{ID: groupLook, Title: "Look:"},
		&cobra.Group{ID: groupKeep, Title: "Keep:"},
	)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return hinted{fmt.Errorf("%w: %w", errUsage, err), cmd.CommandPath() + " --help"}
	})
	root.SuggestionsMinimumDistance = 2
	root.SetHelpCommandGroupID(groupKeep)
	root.SetCompletionCommandGroupID(groupKeep)
	root.AddCommand(
		newList(),
		newRun(),
		newTour(),
		newDiff(),
		newRootfs(),
		newDoctor(),
		newVersion(),
		newCheck(),
		newDev(),
		newNS(),
		newInspect(),
		newMounts(),
		newCgroup(),
		newLayers(),
		newReference(),
		newClean(),
		newTrace(),
	)
	return root
}

// noSuchCommand refuses a first word that is no command.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := "lab --help"
	if similar := cmd.SuggestionsFor(args[0]); len(similar) > 0 {
		hint = "lab " + similar[0]
	}
	return hinted{fmt.Errorf("%w: there is no command %q", errUsage, args[0]), hint}
}

// arguments makes a check of how many arguments a command takes.
func arguments(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) >= least && len(args) <= most {
			return nil
		}
		return hinted{
			fmt.Errorf("%w: %s takes %s", errUsage, cmd.CommandPath(), amount(least, most)),
			cmd.UseLine(),
		}
	}
}

// amount puts how many arguments are wanted into words.
func amount(least, most int) string {
	switch {
	case most == 0:
		return "no arguments"
	case least == most && least == 1:
		return "one argument"
	case least == most:
		return fmt.Sprintf("%d arguments", least)
	}
	return fmt.Sprintf("%d to %d arguments", least, most)
}

// welcome says who and where the reader is and what to type next.
func welcome(w, stderr io.Writer) error {
	steps := course.Steps()
	done, err := openProgress(stderr)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "The container lab: %d steps from a command to a container.\n\n", len(steps))
	fmt.Fprintf(w, "  you are   %s\n", whoAndWhere(need.Look()))
	count := 0
	next := "lab tour"
	for _, s := range steps {
		if done.Ran(s.ID) {
			count++
		} else if count > 0 && next == "lab tour" {
			next = "lab run " + s.ID[:2]
		}
	}
	if count == len(steps) {
		next = "lab --help"
	}
	fmt.Fprintf(w, "  you ran   %d of %d steps\n", count, len(steps))
	_, err = fmt.Fprintf(w, "\nNext: %s\n", next)
	return err
}

// whoAndWhere tells the account and the kind of machine.
func whoAndWhere(facts need.Facts) string {
	who := fmt.Sprintf("uid %d, so the containers are rootless", facts.UID)
	if facts.Root {
		who = "root"
	}
	where := fmt.Sprintf("%s %s", facts.OS, facts.Kernel)
	if _, err := os.Stat("/vagrant"); err == nil {
		where += ", in the lab's VM"
	}
	return fmt.Sprintf("%s, on %s, cgroups %s", who, where, facts.Cgroups.Mode)
}
