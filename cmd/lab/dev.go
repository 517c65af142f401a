//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"lab/internal/baseroot"
	"lab/internal/corpus"
	"lab/internal/course"
	"lab/internal/hint"
	"lab/internal/invoker"
	"lab/internal/journal"
	"lab/internal/judge"
	"lab/internal/need"
	"lab/internal/program"
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
	return &cobra.Command{
		Use:   "build DIR",
		Short: "Build all programs of which it is known how they are judged",
		Args:  arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			set, err := newDevSet(args[0], nil)
			if err != nil {
				return err
			}
			return set.each(cmd.Context(), func(ctx context.Context, e corpus.Entry) error {
				_, err := set.program(ctx, e)
				return err
			})
		},
	}
}

// newDevCheck makes `lab dev check`.
func newDevCheck() *cobra.Command {
	var programs string
	cmd := &cobra.Command{
		Use:   "check [ENTRY…]",
		Short: "Prove that the checks judge right, by programs of which it is known",
		Long: "Judges the reference programs, and those in internal/check/testdata. An ENTRY\n" +
			"such as mistakes/03-mount picks the ones whose names begin so.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return devCheck(cmd, programs, args)
		},
	}
	cmd.Flags().StringVar(&programs, "programs", "", "where `lab dev build` has put them")
	return cmd
}

// devCheck judges entries. What it makes lies in the directory of its journal's run.
func devCheck(cmd *cobra.Command, programs string, prefixes []string) (err error) {
	ctx, stop := signal.NotifyContext(cmd.Context(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	defer stop()
	run := beginRun(journal.Plan{Command: append([]string{"lab", "dev", "check"}, prefixes...)})
	if err := run.MakeDirectory(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, endRun(run)) }()
	if programs == "" {
		programs = filepath.Join(run.Directory, "programs")
	}
	set, err := newDevSet(programs, prefixes)
	if err != nil {
		return err
	}
	set.places = run.Directory
	return set.check(ctx, cmd.OutOrStdout())
}

// devSet is what is built and judged.
type devSet struct {
	checkout string
	dir      string // of the programs, as KIND/STEP/NAME
	places   string // where programs under judgement get a directory each
	lab      string // a static build
	entries  []corpus.Entry
}

// newDevSet loads the entries of the checkout that lab runs in.
func newDevSet(dir string, prefixes []string) (*devSet, error) {
	checkout, err := program.Checkout()
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	who, err := invoker.Current()
	if err != nil {
		return nil, err
	}
	lab, err := baseroot.StaticBinary(who.CacheDir())
	if err != nil {
		return nil, err
	}
	s := &devSet{checkout: checkout, dir: dir, lab: lab}
	for _, step := range course.Steps() {
		s.entries = append(s.entries, corpus.Entry{
			Kind: "references", Step: step.ID, Name: step.ID, About: "the reference program",
		})
	}
	known, err := corpus.Load(checkout)
	if err != nil {
		return nil, err
	}
	s.entries = slices.Concat(s.entries, corpus.Begun(), known)
	if len(prefixes) > 0 {
		s.entries = slices.DeleteFunc(s.entries, func(e corpus.Entry) bool {
			return !hasAnyPrefix(e.ID(), prefixes)
		})
	}
	if len(s.entries) == 0 {
		return nil, hinted{
			fmt.Errorf("%w: no entry begins with %s", errUsage, strings.Join(prefixes, " or ")),
			"ls internal/check/testdata/*/*",
		}
	}
	return s, nil
}

// program returns the path of an entry's program, which is built if it is not
// there.
func (s *devSet) program(ctx context.Context, e corpus.Entry) (string, error) {
	if e.Kind == "references" {
		return program.Path(ctx, e.Step)
	}
	path := filepath.Join(s.dir, e.ID())
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	return path, e.Build(ctx, s.checkout, path)
}

// each does something for all entries, several at a time: most of the time a
// wrong program is waited for. In a machine that is emulated the processors are
// what is waited for.
func (s *devSet) each(
	ctx context.Context, do func(context.Context, corpus.Entry) error,
) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	atOnce := 2 * runtime.NumCPU()
	if os.Getenv("LAB_VM") != "" {
		atOnce = 1
	}
	slots := make(chan struct{}, atOnce)
	for _, e := range s.entries {
		slots <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		all.Go(func() {
			defer func() { <-slots }()
			if err := do(ctx, e); err != nil {
				cancel(err)
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

// check judges all entries, tells which were judged wrongly, and counts.
func (s *devSet) check(ctx context.Context, w io.Writer) error {
	var mu sync.Mutex
	right, all, lacking := map[string]int{}, map[string]int{}, 0
	out := screen.Of(w)
	err := s.each(ctx, func(ctx context.Context, e corpus.Entry) error {
		o, missing, err := s.judge(ctx, e)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		switch {
		case missing != "":
			lacking++
			fmt.Fprintf(out, "SKIP  %s: %s\n", e.ID(), missing)
			return nil
		case o.Wrong == "":
			right[e.Kind]++
		default:
			fmt.Fprintf(out, "%s  %s: %s\n%s\n", out.Alarm("FAIL"), e.ID(), e.About, o.Wrong)
		}
		all[e.Kind]++
		return nil
	})
	if err != nil {
		return err
	}
	var summary []string
	wrong := 0
	for _, kind := range []struct{ name, text string }{
		{"references", "references %d/%d"},
		{corpus.Skeletons, "skeletons %d/%d fail as intended"},
		{corpus.Mistakes, "mistakes %d/%d"},
		{corpus.Variants, "correct variants %d/%d"},
		{corpus.Cheats, "cheats %d/%d"},
	} {
		summary = append(summary, fmt.Sprintf(kind.text, right[kind.name], all[kind.name]))
		wrong += all[kind.name] - right[kind.name]
	}
	hints, err := countHints()
	if err != nil {
		return err
	}
	summary = append(summary, fmt.Sprintf("hints %d/%d", hints, hint.Levels*len(course.Steps())))
	line := strings.Join(summary, ", ")
	if lacking > 0 {
		line += fmt.Sprintf("; %d skipped", lacking)
	}
	fmt.Fprintln(out, line)
	if wrong > 0 {
		return exited(1)
	}
	return nil
}

// countHints counts the hints that say something.
func countHints() (int, error) {
	count := 0
	for _, s := range course.Steps() {
		h, err := hint.Of(s.ID)
		if err != nil {
			return 0, err
		}
		for level := range hint.Levels {
			if text, err := h.Get(level+1, nil); err == nil && text != "" {
				count++
			}
		}
	}
	return count, nil
}

// judge has one entry judged, unless this machine lacks what it needs.
func (s *devSet) judge(
	ctx context.Context, e corpus.Entry,
) (o corpus.Outcome, missing string, err error) {
	if missing := e.Lacks(have); missing != "" {
		return o, "there is no " + missing + " here", nil
	}
	path, err := s.program(ctx, e)
	if err != nil {
		return o, "", err
	}
	place, err := corpus.Place(s.places)
	if err != nil {
		return o, "", err
	}
	o, err = e.Judge(ctx, judge.Orders{Program: path, Lab: s.lab, Dir: place, Seed: 1})
	err = errors.Join(err, os.RemoveAll(place))
	if len(o.Skips) > 0 && o.Failure == nil && e.Diagnosis != "" {
		return o, o.Skips[0], err
	}
	return o, "", err
}

// have reports whether this machine has what an entry needs.
func have(thing string) bool {
	facts := need.Look()
	switch thing {
	case "real root":
		return facts.Root
	case "cgroup v1":
		return facts.Cgroups.Mode != "v2"
	case "cgroup v2":
		return facts.Cgroups.Mode == "v2"
	}
	return false
}

// hasAnyPrefix reports whether a text begins with one of some words.
func hasAnyPrefix(text string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(text, p) {
			return true
		}
	}
	return false
}
