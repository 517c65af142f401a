//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"lab/internal/screen"
	"lab/internal/trace"
)

// traceFlags are those of `lab trace`.
type traceFlags struct {
	all, raw, json, stops bool
	output                string
}

// newTrace makes `lab trace`.
func newTrace() *cobra.Command {
	var given traceFlags
	cmd := &cobra.Command{
		Use:   "trace [FLAGS] [--] COMMAND [ARG…]",
		Short: "The system calls that make a container, told while a command runs",
		Long: "Runs a command and tells, in order and by process, the system calls by which\n" +
			"a container is made: each as strace(1) prints it, then in words, then as the\n" +
			"shell command that does the same. The command's streams and exit status are its\n" +
			"own. It is slower: root's command stops at the calls of interest, for which it\n" +
			"gets a seccomp filter, an ordinary user's at every call, and there a set-user-ID\n" +
			"program runs without its rights. Ctrl-C ends the command and all its children.",
		Example: "  lab trace -- unshare --uts --pid --fork true\n" +
			"  lab trace -o trace.txt -- runc run --bundle bundle web",
		GroupID: groupLook,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return hinted{
					fmt.Errorf("%w: which command?", errUsage), "lab trace -- unshare --uts true",
				}
			}
			if given.raw && given.json {
				return hinted{
					fmt.Errorf("%w: --raw or --json, not both", errUsage),
					"lab trace --json -- unshare --uts true",
				}
			}
			return runTrace(cmd.ErrOrStderr(), given, args)
		},
	}
	flags := cmd.Flags()
	flags.SetInterspersed(false) // what follows the command is the command's
	flags.BoolVar(&given.all, "all", false, "tell every system call")
	flags.BoolVar(&given.raw, "raw", false, "print lines as strace -f does, without words")
	flags.BoolVar(&given.json, "json", false, "print an object of JSON a line")
	flags.BoolVar(&given.stops, "stops", false,
		"stop at every call: slower, and the command sees no seccomp filter")
	flags.StringVarP(&given.output, "output", "o", "", "print to a `file` instead of stderr")
	return cmd
}

// becomeTraced becomes the command of `lab trace`, if that is what this process
// was started for.
func becomeTraced() {
	if trace.IsStarter(os.Args) {
		_ = trace.Become(os.Args) // the tracer has seen why and says it
		os.Exit(1)
	}
}

// runTrace runs the command under trace.
func runTrace(stderr io.Writer, given traceFlags, command []string) (err error) {
	o := trace.Options{
		Command: command, All: given.all, Stops: given.stops, Out: stderr, Width: 80,
	}
	switch {
	case given.json:
		o.Style = trace.JSON
	case given.raw:
		o.Style = trace.Raw
	}
	if given.output != "" {
		file, err := os.Create(given.output)
		if err != nil {
			const hint = "lab trace -o /tmp/trace.txt -- COMMAND"
			return hinted{fmt.Errorf("write the trace: %w", err), hint}
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		o.Out = file
	} else {
		s := screen.Of(stderr)
		o.Width, o.Colour = s.Width, s.Color
	}
	status, err := trace.Run(o)
	if err != nil {
		return traceFailed(err)
	}
	if status != 0 {
		return exited(status)
	}
	return nil
}

// traceFailed adds what helps to an error, and the exit status of a command that
// could not be run.
func traceFailed(err error) error {
	switch {
	case errors.Is(err, trace.ErrNotFound):
		return withStatus{hinted{err, "is it installed, and on PATH?"}, 127}
	case errors.Is(err, trace.ErrNotExecutable):
		return withStatus{hinted{err, "a program or a script with #! and chmod +x"}, 126}
	case errors.Is(err, trace.ErrTracedAlready):
		return hinted{
			err, "leave out the strace or the debugger around lab: a process has one tracer",
		}
	case errors.Is(err, trace.ErrForbidden):
		return hinted{err, "sudo sysctl -w kernel.yama.ptrace_scope=1; " +
			"in a container of docker or podman: --cap-add SYS_PTRACE"}
	}
	return err
}
