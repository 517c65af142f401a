//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"lab/internal/baseroot"
	"lab/internal/course"
	"lab/internal/judge"
	"lab/internal/progress"
	"lab/internal/workspace"
)

// checkOptions are the flags of `lab check`.
type checkOptions struct {
	workspace string
	program   string
	seed      uint64
	all       bool
	json      bool
}

// newCheck makes `lab check`.
func newCheck() *cobra.Command {
	var o checkOptions
	cmd := &cobra.Command{
		Use:   "check [STEP]",
		Short: "Judge your program by what the kernel says",
		Long: "Builds your program of a step and judges it from outside, in a throw-away host:\n" +
			"first by the step's own checks, then by those of the steps before it. Without\n" +
			"STEP it is the first one that you have not passed.",
		Example: "  lab check 03\n" +
			"  lab check 03 --program ./mine   # any executable, in any language",
		GroupID: groupLearn,
		Args:    arguments(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("seed") {
				o.seed = uint64(rand.Uint32())
			}
			return o.run(cmd, args)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.workspace, "workspace", "", "directory of your programs")
	flags.StringVar(&o.program, "program", "", "judge this executable instead of your program")
	flags.Uint64Var(&o.seed, "seed", 0, "repeat a check with the names and numbers it had")
	flags.BoolVar(&o.all, "all", false, "ask every check, however many have failed")
	flags.BoolVar(&o.json, "json", false, "print JSON lines; docs/json.md describes them")
	return cmd
}

// run judges one program and keeps the result.
func (o *checkOptions) run(cmd *cobra.Command, args []string) (err error) {
	ctx, stop := signal.NotifyContext(cmd.Context(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	defer stop()
	kept, err := openProgress(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	step, err := o.step(kept, args)
	if err != nil {
		return err
	}
	place, err := takePlace(cmd.ErrOrStderr(), step.ID)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, place.leave(err == nil)) }()
	report := o.reporter(cmd, place)
	orders, err := o.orders(ctx, step, place)
	if build, ok := errors.AsType[*workspace.BuildError](err); ok {
		report.build(step, build)
		return o.keep(kept, step, &progress.Failure{Check: "it builds", Mistake: "does-not-build"})
	}
	if err != nil {
		return err
	}
	report.begin(step, orders)
	stopWatching := watchContainers(place.run, orders.Program)
	defer stopWatching()
	if err := o.judge(ctx, step, orders, report); err != nil {
		return err
	}
	report.end(step)
	return o.keep(kept, step, report.first())
}

// step returns the step that is asked for, or the first that is not passed.
func (o *checkOptions) step(kept *progress.File, args []string) (course.Step, error) {
	if len(args) == 0 {
		if o.program != "" {
			return course.Step{}, hinted{
				fmt.Errorf("%w: --program needs a step", errUsage),
				"lab check 03 --program " + o.program,
			}
		}
		if step, ok := kept.Next(); ok {
			return step, nil
		}
		return course.Steps()[len(course.Steps())-1], nil
	}
	step, err := course.Find(args[0])
	if err != nil {
		return step, hinted{fmt.Errorf("%w: %w", errUsage, err), "lab list"}
	}
	return step, nil
}

// orders finds or builds the program and what it is judged with.
func (o *checkOptions) orders(
	ctx context.Context, step course.Step, place *place,
) (judge.Orders, error) {
	orders := judge.Orders{Dir: place.dir, Seed: o.seed, Shared: true}
	var err error
	if orders.Lab, err = baseroot.StaticBinary(place.who.CacheDir()); err != nil {
		return orders, err
	}
	if o.program != "" {
		orders.Program, err = executable(o.program)
		return orders, err
	}
	w, err := workspace.Find(o.workspace)
	if err != nil {
		return orders, err
	}
	orders.Program = filepath.Join(place.dir, step.ID)
	err = w.Build(ctx, step.ID, orders.Program)
	if errors.Is(err, workspace.ErrNotStarted) {
		return orders, hinted{
			fmt.Errorf("check %s: there is no program of yours in %s", step.ID, w.Dir),
			"lab start " + step.ID[:2],
		}
	}
	return orders, err
}

// executable returns the absolute path of a file that can be run.
func executable(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("check %s: %w", path, errors.Unwrap(err))
	}
	if !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
		return "", hinted{
			fmt.Errorf("check %s: it is not an executable file", path),
			"chmod +x " + path,
		}
	}
	return filepath.Abs(path)
}

// maxFailures is how many failed checks of one step are shown before the rest
// is left out: a program that is half done fails most, for the same reason.
const maxFailures = 3

// judge asks the step's own checks and, if they pass, those of its ancestors.
func (o *checkOptions) judge(
	ctx context.Context, step course.Step, orders judge.Orders, report reporter,
) error {
	orders.All = o.all
	failed, of := 0, ""
	err := judge.Step(ctx, step, orders, func(a judge.Answer) error {
		report.answer(a)
		if a.Step != of {
			failed, of = 0, a.Step
		}
		if a.Verdict == judge.Fail {
			failed++
		}
		if failed == maxFailures && !o.all {
			return judge.ErrStop
		}
		return nil
	})
	if err != nil && ctx.Err() != nil {
		return exited(130) // it was interrupted, as by Ctrl-C
	}
	if err != nil {
		return fmt.Errorf("check %s: %w", step.ID, err)
	}
	return nil
}

// keep writes down how a program of the workspace did, and returns the exit
// status: 1 if it failed.
func (o *checkOptions) keep(
	kept *progress.File, step course.Step, failure *progress.Failure,
) error {
	if o.program == "" {
		if failure == nil {
			kept.Pass(step.ID)
		} else {
			kept.Fail(step.ID, *failure)
		}
		if err := kept.Save(); err != nil {
			return fmt.Errorf("keep the progress: %w", err)
		}
	}
	if failure != nil {
		return exited(1)
	}
	return nil
}
