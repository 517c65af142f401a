//go:build linux

package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"lab/internal/course"
)

// newRun makes `lab run NN`.
func newRun() *cobra.Command {
	return &cobra.Command{
		Use:   "run STEP [FLAGS] [--] [COMMAND [ARG…]]",
		Short: "Run a command in the container of a step",
		Long: "Runs the reference program of a step on the built-in root file system; all\n" +
			"flags are the step's own. Without COMMAND it is a shell.",
		Example: "  lab run 03\n  lab run 05 -memory 30M -- hog 50M",
		GroupID: groupRun,
		// The flags are the step's: none of them is lab's to read.
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return hinted{fmt.Errorf("%w: which step?", errUsage), "lab run 03"}
			}
			if args[0] == "-h" || args[0] == "--help" {
				return cmd.Help()
			}
			step, err := course.Find(args[0])
			if err != nil {
				return hinted{fmt.Errorf("%w: %w", errUsage, err), "lab list"}
			}
			return runStep(cmd.Context(), step, args[1:])
		},
	}
}

// stepLine is the command line of a step's run command, as far as lab has to
// understand it.
type stepLine struct {
	flags   []string
	command []string
}

// splitLine finds where the flags end and the command begins, as the flag
// package in the step will: all flags but -user and -h take a value.
func splitLine(args []string) stepLine {
	for i := 0; i < len(args); i++ {
		switch {
		case args[i] == "--":
			return stepLine{args[:i], args[i+1:]}
		case !strings.HasPrefix(args[i], "-") || args[i] == "-":
			return stepLine{args[:i], args[i:]}
		case !strings.Contains(args[i], "=") && !isSwitch(args[i]):
			i++
		}
	}
	return stepLine{flags: args}
}

// isSwitch reports whether a flag takes no value.
func isSwitch(flag string) bool {
	return slices.Contains([]string{"user", "h", "help"}, strings.TrimLeft(flag, "-"))
}

// has reports whether a flag is given.
func (l stepLine) has(names ...string) bool {
	for _, f := range l.flags {
		name, _, _ := strings.Cut(strings.TrimLeft(f, "-"), "=")
		if strings.HasPrefix(f, "-") && slices.Contains(names, name) {
			return true
		}
	}
	return false
}

// value returns what a flag is given, empty if it is not.
func (l stepLine) value(name string) string {
	for i, f := range l.flags {
		word, value, joined := strings.Cut(strings.TrimLeft(f, "-"), "=")
		switch {
		case !strings.HasPrefix(f, "-") || word != name:
		case joined:
			return value
		case i+1 < len(l.flags):
			return l.flags[i+1]
		}
	}
	return ""
}

// words is the command line again, for people.
func (l stepLine) words() []string {
	if len(l.command) == 0 {
		return l.flags
	}
	return slices.Concat(l.flags, []string{"--"}, l.command)
}
