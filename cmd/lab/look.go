//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"lab/internal/screen"
	"lab/internal/watch"
)

// view is what an instrument read, as a text and as a JSON document.
type view struct {
	text     func(screen.Screen)
	document any
}

// lookOptions are the flags that all instruments have.
type lookOptions struct {
	json  bool
	watch bool
	every time.Duration
}

// flags adds the flags to a command.
func (o *lookOptions) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON; docs/json.md describes it")
	cmd.Flags().BoolVar(&o.watch, "watch", false, "look again and again, and mark what changed")
	cmd.Flags().DurationVar(&o.every, "every", time.Second, "how long --watch waits")
}

// show prints a view once, or with --watch until it is interrupted.
func (o *lookOptions) show(cmd *cobra.Command, look func() (view, error)) error {
	if o.watch {
		return o.keepLooking(cmd, look)
	}
	v, err := look()
	if err != nil {
		return err
	}
	if o.json {
		return writeDocument(cmd, v.document)
	}
	v.text(screen.Of(cmd.OutOrStdout()))
	return nil
}

// keepLooking shows the view anew whenever something changed.
func (o *lookOptions) keepLooking(cmd *cobra.Command, look func() (view, error)) error {
	switch {
	case o.json:
		return hinted{
			fmt.Errorf("%w: --watch is for people, --json for programs", errUsage),
			cmd.CommandPath() + " --watch",
		}
	case o.every < watch.Shortest:
		return hinted{
			fmt.Errorf("%w: --every %s is too short: %s at least",
				errUsage, o.every, watch.Shortest),
			cmd.CommandPath() + " --watch --every 1s",
		}
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	defer stop()
	return watch.Run(ctx, screen.Of(cmd.OutOrStdout()), o.every, func(to screen.Screen) error {
		v, err := look()
		if err == nil {
			v.text(to)
		}
		return err
	})
}

// writeDocument prints a JSON document and nothing else.
func writeDocument(cmd *cobra.Command, document any) error {
	encoder := json.NewEncoder(cmd.OutOrStdout())
	encoder.SetIndent("", "  ")
	return encoder.Encode(document)
}

// unreadable gives an error about somebody else's process a hint. Not even root
// may look at a process with capabilities that root lacks here, see ptrace(2).
func unreadable(err error) error {
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	if os.Geteuid() == 0 {
		return hinted{err, "the process has capabilities that you lack: grep Cap /proc/self/status"}
	}
	return hinted{err, asRoot()}
}
