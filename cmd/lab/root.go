package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"lab/internal/course"
	"lab/internal/need"
	"lab/internal/screen"
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
		newStart(),
		newSolution(),
		newReset(),
		newShow(),
		newHint(),
		newProgress(),
		newWatch(),
		newRun(),
		newTour(),
		newDiff(),
		newRootfs(),
		newDoctor(),
		newOOM(),
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
	to := screen.Of(w)
	f, err := openProgress(stderr)
	if err != nil {
		return err
	}
	fmt.Fprintf(to, "The container lab: %d steps from a command to a container.\n\n", len(steps))
	fmt.Fprintf(to, "  you are   %s\n", whoAndWhere(need.Look()))
	var signs strings.Builder
	for _, s := range steps {
		signs.WriteString(signOf(to, f, s.ID))
	}
	fmt.Fprintf(to, "  you have  %s  %d of %d steps passed\n", signs.String(), countPassed(f),
		len(steps))
	if current, more := f.Current(); more {
		if failure, failed := f.LastFailure(current.ID); failed {
			fmt.Fprintf(to, "  failed    %s: %s\n", current.ID, to.Clean(failure.Check))
		}
	}
	_, err = fmt.Fprintf(to, "\nNext: %s\n", nextCommand(f))
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
