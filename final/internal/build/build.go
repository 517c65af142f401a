package build

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"lab/final/internal/image"
)

// Builder is what a build is made with.
type Builder struct {
	Images    *image.Store
	Directory *Directory // where COPY and ADD take files from
	Runner    Runner
	Progress  Progress
	// Base finds the image of FROM.
	Base func(s *image.Store, name string) (*image.Image, error)

	Args    map[string]string // --build-arg
	Target  string            // the stage to build; the last one if none
	NoCache bool
	Epoch   time.Time // SOURCE_DATE_EPOCH: no file and no date is younger; zero if not set
	Names   []image.Reference
}

// Runner runs the commands of RUN.
type Runner interface {
	// Run runs a command in a container, and returns a directory with what it has changed,
	// as overlayfs has it. done takes the container away.
	Run(ctx context.Context, root Root, r Run, out io.Writer) (
		upper string, done func() error, err error)
}

// Root is what the command of a RUN finds: an image that is not finished.
type Root struct {
	Config image.Config
	Layers []image.Layer // the lowest first; all are unpacked
}

// job is one build.
type job struct {
	Builder

	file   *File
	done   map[int]*stage
	number int // of the step
	total  int
	used   map[string]bool // of Args
}

// Build makes the image of a Dockerfile and gives it its names. If it fails, no name is
// given, and what the steps so far came to is remembered for the next build.
func (b Builder) Build(ctx context.Context, f *File) (*image.Image, error) {
	release, err := b.Images.Hold()
	if err != nil {
		return nil, err
	}
	defer release()
	j := &job{Builder: b, file: f, done: map[int]*stage{}, used: map[string]bool{}}
	globals, err := f.globals(b.Args)
	if err != nil {
		return nil, err
	}
	for _, a := range f.global {
		for _, arg := range a.Args {
			j.used[arg.Key] = true
		}
	}
	target, err := f.target(b.Target)
	if err != nil {
		return nil, err
	}
	stages, err := f.needed(target, globals)
	if err != nil {
		return nil, err
	}
	for _, i := range stages {
		j.total += 1 + f.steps(i)
	}
	for _, i := range stages {
		if err := j.stage(ctx, i, globals); err != nil {
			return nil, err
		}
	}
	for name := range b.Args {
		if !j.used[name] {
			b.Progress.Warn("no ARG asks for --build-arg " + name)
		}
	}
	last := j.done[target]
	last.config.Created = &last.when
	return b.Images.Put(last.config, last.layers, b.Names...)
}

// now is the date of what is built.
func (j *job) now() time.Time {
	if !j.Epoch.IsZero() {
		return j.Epoch.UTC()
	}
	return time.Now().UTC()
}

// ParseArgs reads several --build-arg NAME=VALUE; without a value it is that of the
// environment, if it has one.
func ParseArgs(texts []string, environment func(string) (string, bool)) (map[string]string, error) {
	args := map[string]string{}
	for _, text := range texts {
		name, value, found := strings.Cut(text, "=")
		if name == "" {
			return nil, fmt.Errorf("--build-arg %q: expected NAME=VALUE", text)
		}
		if !found {
			if value, found = environment(name); !found {
				continue
			}
		}
		args[name] = value
	}
	return args, nil
}

// cancelable is a writer until its context ends, so that Ctrl-C ends a long copy.
type cancelable struct {
	ctx context.Context //nolint:containedctx // io.Writer has no room for it
	to  io.Writer
}

// Write passes on what is written.
func (c cancelable) Write(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.to.Write(p)
}
