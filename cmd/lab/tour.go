//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"lab/internal/course"
	"lab/internal/journal"
	"lab/internal/need"
	"lab/internal/program"
	"lab/internal/tour"
)

// tourOptions is the command line of `lab tour`.
type tourOptions struct {
	pause bool
	json  bool
	hold  string
}

// newTour makes `lab tour`.
func newTour() *cobra.Command {
	var o tourOptions
	cmd := &cobra.Command{
		Use:   "tour [STEP…]",
		Short: "Show every step at work, host beside container",
		Long: "Runs each step's program on the built-in root and reads from /proc, /sys and\n" +
			"netlink what is different inside. At the end it compares the host with before.",
		Example: "  lab tour\n  lab tour 02 03\n  lab tour --hold 03",
		GroupID: groupRun,
		RunE: func(cmd *cobra.Command, args []string) error {
			return takeTour(cmd, o, args)
		},
	}
	cmd.Flags().BoolVar(&o.pause, "pause", false, "wait for Enter after each step")
	cmd.Flags().BoolVar(&o.json, "json", false, "print the values as JSON")
	cmd.Flags().StringVar(&o.hold, "hold", "", "show `STEP` and keep its container until Enter")
	cmd.AddCommand(newScene())
	return cmd
}

// takeTour shows the steps and compares the host with before.
func takeTour(cmd *cobra.Command, o tourOptions, args []string) error {
	if o.hold != "" {
		args = []string{o.hold}
	}
	chosen, err := chooseSteps(args)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	defer stop()
	t := &tourGuide{
		options: o,
		out:     cmd.OutOrStdout(),
		in:      bufio.NewReader(os.Stdin),
		facts:   need.Look(),
	}
	t.printer = newTourPrinter(t.out)
	if o.json {
		t.printer.out = io.Discard
	}
	t.printer.intro(len(chosen), t.facts)
	if err := t.buildAll(ctx, chosen, cmd.ErrOrStderr()); err != nil {
		return err
	}
	before, err := journal.Take()
	if err != nil {
		return err
	}
	for _, step := range chosen {
		if err := t.show(ctx, step); err != nil {
			return err
		}
		if ctx.Err() != nil {
			break
		}
	}
	// The comparison is made after an interruption as well.
	return t.finish(context.WithoutCancel(ctx), before, ctx.Err() != nil)
}

// chooseSteps turns arguments into steps; none means all.
func chooseSteps(args []string) ([]course.Step, error) {
	if len(args) == 0 {
		return course.Steps(), nil
	}
	var chosen []course.Step
	for _, a := range args {
		step, err := course.Find(a)
		if err != nil {
			return nil, hinted{fmt.Errorf("%w: %w", errUsage, err), "lab list"}
		}
		chosen = append(chosen, step)
	}
	return chosen, nil
}

// buildAll builds what can be shown here, and says so when it takes longer than
// a reader would wait in silence.
func (t *tourGuide) buildAll(ctx context.Context, chosen []course.Step, w io.Writer) error {
	names := []string{"lab"}
	for _, s := range chosen {
		if t.cannot(s) == "" {
			names = append(names, s.ID)
		}
	}
	line := time.AfterFunc(time.Second, func() {
		fmt.Fprintln(w, "lab: building the programs; with an empty cache this takes about a minute")
	})
	defer line.Stop()
	if _, err := program.Paths(ctx, names...); err != nil {
		return noProgram(err)
	}
	return nil
}

// tourGuide leads through the tour.
type tourGuide struct {
	options tourOptions
	out     io.Writer
	in      *bufio.Reader
	facts   need.Facts
	printer *tourPrinter

	scenes  []tour.Scene
	shown   int
	skipped int
	failed  int
}

// show plays one step's scene and prints it.
func (t *tourGuide) show(ctx context.Context, step course.Step) error {
	if reason := t.cannot(step); reason != "" {
		t.skipped++
		t.printer.skip(step, reason)
		return nil
	}
	scene, end, err := playScene(ctx, step, t.facts)
	if err != nil {
		return err
	}
	t.scenes = append(t.scenes, scene)
	if len(scene.Faults()) > 0 {
		t.failed++
	} else {
		t.shown++
		_ = remember(step.ID) // a home that cannot be written to is no reason to fail
	}
	t.printer.scene(step, scene)
	if t.options.hold != "" && len(scene.Faults()) == 0 {
		t.printer.holding(scene)
		t.key(ctx)
	}
	if err := end(); err != nil && ctx.Err() == nil {
		return err
	}
	if t.options.pause {
		fmt.Fprint(t.printer.out, "Enter for the next step ")
		t.key(ctx)
	}
	return nil
}

// cannot says why a step cannot be shown here, if so.
func (t *tourGuide) cannot(step course.Step) string {
	if step.ID != "05-cgroups" || t.facts.Root || t.facts.Cgroups.Delegated != "" ||
		delegatedScope(step, t.facts) != nil {
		return ""
	}
	return "no cgroup is delegated to uid " + fmt.Sprint(t.facts.UID)
}

// key waits for Enter, the end of the input or an interruption.
func (t *tourGuide) key(ctx context.Context) {
	pressed := make(chan struct{})
	go func() {
		_, _ = t.in.ReadString('\n') // the end of the input is as good as Enter
		close(pressed)
	}()
	select {
	case <-pressed:
	case <-ctx.Done():
	}
}

// finish compares the host with before and prints the last lines.
func (t *tourGuide) finish(ctx context.Context, before journal.Snapshot, interrupted bool) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	left := journal.Settle(ctx, before)
	if t.options.json {
		if err := t.writeJSON(); err != nil {
			return err
		}
	} else if !interrupted {
		t.printer.shared(t.scenes)
	}
	var lines []string
	for _, d := range left {
		lines = append(lines, d.String())
	}
	t.printer.last(t, lines, before.Compared())
	switch {
	case len(left) > 0:
		return fmt.Errorf("the host is not as before: %s", strings.Join(lines, "; "))
	case interrupted:
		return exited(130)
	case t.failed > 0:
		return fmt.Errorf("%d of the steps did not show what they promise", t.failed)
	}
	return nil
}

// writeJSON prints every value as one list.
func (t *tourGuide) writeJSON() error {
	values := []tour.Value{}
	for _, s := range t.scenes {
		values = append(values, s.Values...)
	}
	encoder := json.NewEncoder(t.out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(values)
}

// errScene means that a scene's process broke off.
var errScene = errors.New("the scene ended without a result")
