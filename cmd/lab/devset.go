//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"lab/internal/baseroot"
	"lab/internal/corpus"
	"lab/internal/course"
	"lab/internal/invoker"
	"lab/internal/judge"
	"lab/internal/need"
	"lab/internal/program"
)

// devSet is what is built and judged.
type devSet struct {
	checkout string
	dir      string // of the programs, as KIND/STEP/NAME
	places   string // where programs under judgement get a directory each
	lab      string // a static build
	jobs     int    // how many are built or judged at a time
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
	s := &devSet{checkout: checkout, dir: dir, lab: lab, jobs: 2 * runtime.NumCPU()}
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

// settle makes a directory the one in which programs get places. There is one copy of
// the lab for all: programs of which so much is known do not write to it.
func (s *devSet) settle(dir string) error {
	text, err := os.ReadFile(s.lab)
	if err != nil {
		return err
	}
	s.places, s.lab = dir, filepath.Join(dir, "lab")
	err = os.WriteFile(s.lab, text, 0o755)          //nolint:gosec // to be executed, by anybody
	return errors.Join(err, os.Chmod(s.lab, 0o755)) //nolint:gosec // see above
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
// wrong program is waited for.
func (s *devSet) each(
	ctx context.Context, do func(context.Context, corpus.Entry) error,
) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	slots := make(chan struct{}, s.jobs)
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

// judge has one entry judged, unless this machine lacks what it needs.
func (s *devSet) judge(
	ctx context.Context, e corpus.Entry,
) (o corpus.Outcome, missing string, err error) {
	o.Entry = e
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
	lab := filepath.Join(place, "lab")
	if err = os.Link(s.lab, lab); err == nil {
		o, err = e.Judge(ctx, judge.Orders{
			Program: path, Lab: lab, Linked: true, Dir: place, Seed: 1,
		})
	}
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
