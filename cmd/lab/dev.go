//go:build linux

package main

import (
	"context"
	"errors"
	"os/signal"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"lab/internal/corpus"
	"lab/internal/journal"
	"lab/internal/screen"
)

// newDev makes `lab dev`, for those who work on the lab itself.
func newDev() *cobra.Command {
	dev := &cobra.Command{
		Use: "dev", Hidden: true, Short: "For work on the lab itself", Args: noSuchCommand,
	}
	dev.AddCommand(newDevBuild(), newDevCheck())
	return dev
}

// newDevBuild makes `lab dev build DIR`.
func newDevBuild() *cobra.Command {
	var share part
	cmd := &cobra.Command{
		Use:   "build DIR",
		Short: "Build all programs of which it is known how they are judged",
		Args:  arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			set, err := newDevSet(args[0], nil)
			if err != nil {
				return err
			}
			set.entries = share.choose(set.entries)
			return set.each(cmd.Context(), func(ctx context.Context, e corpus.Entry) error {
				_, err := set.program(ctx, e)
				return err
			})
		},
	}
	share.flag(cmd)
	return cmd
}

// newDevCheck makes `lab dev check`.
func newDevCheck() *cobra.Command {
	var order devOrder
	cmd := &cobra.Command{
		Use:   "check [ENTRY…]",
		Short: "Prove that the checks judge right, by programs of which it is known",
		Long: "Judges the reference programs, and those in internal/check/testdata. An ENTRY\n" +
			"such as mistakes/03-mount picks the ones whose names begin so.",
		RunE: func(cmd *cobra.Command, args []string) error {
			order.prefixes = args
			return devCheck(cmd, order)
		},
	}
	cmd.Flags().StringVar(&order.programs, "programs", "", "the `directory` of lab dev build")
	order.share.flag(cmd)
	cmd.Flags().IntVar(&order.jobs, "jobs", 2*runtime.NumCPU(), "how many are judged at a time")
	return cmd
}

// devOrder is what is asked of `lab dev check`.
type devOrder struct {
	programs string
	share    part
	jobs     int
	prefixes []string
}

// devCheck judges entries. What it makes lies in the directory of its journal's run.
func devCheck(cmd *cobra.Command, o devOrder) (err error) {
	ctx, stop := signal.NotifyContext(cmd.Context(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	defer stop()
	run := beginRun(journal.Plan{Command: append([]string{"lab", "dev", "check"}, o.prefixes...)})
	if err := run.MakeDirectory(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, endRun(run)) }()
	if o.programs == "" {
		o.programs = filepath.Join(run.Directory, "programs")
	}
	set, err := newDevSet(o.programs, o.prefixes)
	if err != nil {
		return err
	}
	set.entries = o.share.choose(set.entries)
	set.jobs = max(1, o.jobs)
	if err := set.settle(run.Directory); err != nil {
		return err
	}
	return set.check(ctx, o.share, screen.Of(cmd.OutOrStdout()))
}
