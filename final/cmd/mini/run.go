package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"lab/final/internal/engine"
)

// newRun makes `mini run`.
func newRun(a *app) *cobra.Command {
	var f containerFlags
	var detach bool
	var keys string
	cmd := &cobra.Command{
		Use:     "run [FLAGS] IMAGE [COMMAND [ARG…]]",
		Short:   "Make a container of an image and start it",
		GroupID: groupContainers,
		Args:    arguments(1, many),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := a.engine()
			if err != nil {
				return withStatus{err, notRun}
			}
			status, err := a.run(cmd, e, &f, args, detach, keys)
			return outcome("run", status, err)
		},
	}
	flags := cmd.Flags()
	flags.SetInterspersed(false) // what follows the image is the command's
	f.add(flags)
	flags.BoolVarP(&detach, "detach", "d", false, "leave it running and print its ID")
	flags.StringVar(&keys, "detach-keys", defaultKeys, "keys that leave its terminal")
	return passesStatus(cmd)
}

// run makes a container, starts it and, unless it is left alone, waits for its end.
func (a *app) run(cmd *cobra.Command, e *engine.Engine, f *containerFlags, args []string,
	detach bool, keys string,
) (int, error) {
	sequence, err := parseKeys(keys)
	if err != nil {
		return 0, err
	}
	c, err := f.create(cmd, a, e, args, true)
	if err != nil {
		return 0, err
	}
	var signals chan os.Signal
	if !detach {
		signals = catchSignals() // those that come while it is started are passed on after that
	}
	conn, err := e.Start(c, !detach)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", c.Name, err)
	}
	if detach {
		_, err := fmt.Fprintln(cmd.OutOrStdout(), c.ID)
		return 0, err
	}
	s := session{
		conn: conn, terminal: c.Config.Tty, input: c.Config.OpenStdin, keys: sequence,
		signals: signals,
	}
	return s.follow()
}

// create makes a container of what the flags and arguments say. Ctrl-C ends that.
func (f *containerFlags) create(cmd *cobra.Command, a *app, e *engine.Engine, args []string,
	atOnce bool,
) (*engine.Container, error) {
	request, err := f.request(cmd.Flags(), args)
	if err != nil {
		return nil, err
	}
	if len(request.Rootfs) == 0 {
		err = a.fetch(cmd, request.Image, f.pull)
	}
	if err != nil {
		return nil, err
	}
	tell, err := f.limits.claim()
	if err != nil {
		return nil, err
	}
	ctx, stop := interruptible(cmd)
	defer stop()
	request.AtOnce = atOnce
	c, err := e.Create(ctx, request)
	if err != nil {
		return nil, errors.Join(err, tell(""))
	}
	return c, tell(c.ID)
}

// outcome is a verb's end: the status of the container's command, or an error for which
// the status is 125 unless it is about the command.
func outcome(verb string, status int, err error) error {
	if err == nil && status == 0 {
		return nil
	}
	if err == nil {
		return exited(status)
	}
	status = notRun
	if s := engine.CommandStatus(err); s != 0 {
		status = s
	}
	return withStatus{fmt.Errorf("%s: %w", verb, err), status}
}

// passesStatus makes wrong usage of a verb that passes a command's status on one that no
// command is likely to have.
func passesStatus(cmd *cobra.Command) *cobra.Command {
	check := cmd.Args
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return withStatus{err, notRun}
		}
		return nil
	}
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return withStatus{wrongFlag(cmd, err), notRun}
	})
	return cmd
}
