package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"lab/final/internal/engine"
)

// newCreate makes `mini create`.
func newCreate(a *app) *cobra.Command {
	var f containerFlags
	cmd := &cobra.Command{
		Use:     "create [FLAGS] IMAGE [COMMAND [ARG…]]",
		Short:   "Make a container that does not run yet",
		GroupID: groupContainers,
		Args:    arguments(1, many),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := a.engine()
			var c *engine.Container
			if err == nil {
				c, err = f.create(cmd, a, e, args, false)
			}
			if err == nil {
				_, err = fmt.Fprintln(cmd.OutOrStdout(), c.ID)
			}
			if err != nil {
				return fmt.Errorf("create: %w", err)
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.SetInterspersed(false)
	f.add(flags)
	return cmd
}

// newStart makes `mini start`.
func newStart(a *app) *cobra.Command {
	var attach, interactive bool
	var keys string
	cmd := &cobra.Command{
		Use:     "start [FLAGS] CONTAINER…",
		Short:   "Start a container that does not run",
		GroupID: groupContainers,
		Args:    arguments(1, many),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !attach && !interactive {
				return a.each("start", start)(cmd, args)
			}
			if len(args) != 1 {
				return fmt.Errorf("%w: one container can be attached to, not %d", errUsage,
					len(args))
			}
			status, err := a.startAttached(args[0], interactive, keys)
			return outcome("start", status, err)
		},
	}
	flags := cmd.Flags()
	flags.BoolVarP(&attach, "attach", "a", false, "show what it says until it ends")
	flags.BoolVarP(&interactive, "interactive", "i", false, "and pass on what is typed")
	flags.StringVar(&keys, "detach-keys", defaultKeys, "keys that leave its terminal")
	return cmd
}

// start starts one container.
func start(e *engine.Engine, c *engine.Container, word string) (string, error) {
	_, err := e.Start(c, false)
	if errors.Is(err, engine.ErrRunning) {
		err = nil // as it was asked for
	}
	return word, err
}

// startAttached starts a container and stays before it.
func (a *app) startAttached(word string, interactive bool, keys string) (int, error) {
	sequence, err := parseKeys(keys)
	if err != nil {
		return 0, err
	}
	e, c, err := a.one("start", word)
	if err != nil {
		return 0, err
	}
	signals := catchSignals()
	conn, err := e.Start(c, true)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", word, err)
	}
	s := session{
		conn: conn, terminal: c.Config.Tty, input: interactive && c.Config.OpenStdin,
		keys: sequence, signals: signals,
	}
	return s.follow()
}

// newStop makes `mini stop`.
func newStop(a *app) *cobra.Command {
	var p patience
	cmd := &cobra.Command{
		Use:     "stop [FLAGS] CONTAINER…",
		Short:   "Ask a container to end, and kill it when it does not",
		GroupID: groupContainers,
		Args:    arguments(1, many),
	}
	p.add(cmd)
	cmd.RunE = a.each("stop", func(e *engine.Engine, c *engine.Container, word string) (
		string, error,
	) {
		err := p.stop(cmd, e, c)
		if errors.Is(err, engine.ErrNotRunning) {
			err = nil // as it was asked for
		}
		return word, err
	})
	return cmd
}

// newRestart makes `mini restart`.
func newRestart(a *app) *cobra.Command {
	var p patience
	cmd := &cobra.Command{
		Use:     "restart [FLAGS] CONTAINER…",
		Short:   "Stop a container if it runs, and start it",
		GroupID: groupContainers,
		Args:    arguments(1, many),
	}
	p.add(cmd)
	cmd.RunE = a.each("restart", func(e *engine.Engine, c *engine.Container, word string) (
		string, error,
	) {
		if err := p.stop(cmd, e, c); err != nil && !errors.Is(err, engine.ErrNotRunning) {
			return word, err
		}
		_, err := e.Start(c, false)
		return word, err
	})
	return cmd
}

// patience are the flags of how a container is asked to end.
type patience struct {
	seconds int
	signal  string
}

// add adds them.
func (p *patience) add(cmd *cobra.Command) {
	cmd.Flags().IntVarP(&p.seconds, "time", "t", 10,
		"seconds until it is killed; a negative number is for ever")
	cmd.Flags().StringVarP(&p.signal, "signal", "s", "", "the signal in place of its own")
}

// stop asks a container to end.
func (p *patience) stop(cmd *cobra.Command, e *engine.Engine, c *engine.Container) error {
	signal, seconds, err := c.StopDefaults()
	if err == nil && p.signal != "" {
		signal, err = engine.ParseSignal(p.signal)
	}
	if err != nil {
		return err
	}
	if cmd.Flags().Changed("time") {
		seconds = p.seconds
	}
	_, err = e.Stop(c, signal, seconds)
	return err
}

// newKill makes `mini kill`.
func newKill(a *app) *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:     "kill [FLAGS] CONTAINER…",
		Short:   "Send a signal to a container's command",
		GroupID: groupContainers,
		Args:    arguments(1, many),
		RunE: a.each("kill", func(e *engine.Engine, c *engine.Container, word string) (
			string, error,
		) {
			signal, err := engine.ParseSignal(name)
			if err == nil {
				err = e.Kill(c, signal)
			}
			return word, err
		}),
	}
	cmd.Flags().StringVarP(&name, "signal", "s", "KILL", "the signal, a name or a number")
	return cmd
}

// newWait makes `mini wait`.
func newWait(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "wait CONTAINER…",
		Short:   "Wait for a container's end and print its exit status",
		GroupID: groupContainers,
		Args:    arguments(1, many),
		RunE: a.each("wait", func(e *engine.Engine, c *engine.Container, _ string) (
			string, error,
		) {
			state, err := e.Wait(c)
			return fmt.Sprint(state.ExitCode), err
		}),
	}
}

// newRemove makes `mini rm`.
func newRemove(a *app) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:     "rm [FLAGS] CONTAINER…",
		Short:   "Remove a container",
		GroupID: groupContainers,
		Args:    arguments(1, many),
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "kill it first if it runs")
	remove := a.each("rm", func(e *engine.Engine, c *engine.Container, word string) (
		string, error,
	) {
		return word, e.Remove(c, force)
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		err := remove(cmd, args)
		if force && errors.Is(err, engine.ErrNotFound) && len(args) == 1 {
			return nil // as it was asked for
		}
		return err
	}
	return cmd
}

// newPause makes `mini pause`.
func newPause(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "pause CONTAINER…",
		Short:   "Freeze a container",
		GroupID: groupContainers,
		Args:    arguments(1, many),
		RunE: a.each("pause", func(e *engine.Engine, c *engine.Container, word string) (
			string, error,
		) {
			return word, e.Pause(c)
		}),
	}
}

// newUnpause makes `mini unpause`.
func newUnpause(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "unpause CONTAINER…",
		Short:   "Thaw a container",
		GroupID: groupContainers,
		Args:    arguments(1, many),
		RunE: a.each("unpause", func(e *engine.Engine, c *engine.Container, word string) (
			string, error,
		) {
			return word, e.Unpause(c)
		}),
	}
}

// newRename makes `mini rename`.
func newRename(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "rename CONTAINER NAME",
		Short:   "Give a container another name",
		GroupID: groupContainers,
		Args:    arguments(2, 2),
		RunE: func(_ *cobra.Command, args []string) error {
			e, c, err := a.one("rename", args[0])
			if err != nil {
				return err
			}
			if err := e.Rename(c, args[1]); err != nil {
				return about("rename", args[0], err)
			}
			return nil
		},
	}
}
