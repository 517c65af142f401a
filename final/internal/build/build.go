package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"lab/final/internal/image"
	"lab/final/internal/layer"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Builder is what a build is made with.
type Builder struct {
	Images    *image.Store
	Base      func(s *image.Store, name string) (*image.Image, error) // finds FROM's image
	Cache     Cache
	Directory *Directory // where COPY and ADD take files from
	Runner    Runner
	Progress  Progress

	Args    map[string]string // --build-arg
	Target  string            // the stage to build; the last one if none
	NoCache bool
	Epoch   time.Time // SOURCE_DATE_EPOCH: no file and no date is younger; zero if not set
	Names   []image.Reference
}

// Runner runs the commands of RUN.
type Runner interface {
	// Run runs a command in a container of an image, and returns a directory with what
	// it has changed, as overlayfs has it. done takes the container away.
	Run(ctx context.Context, img *image.Image, r Run, out io.Writer) (
		upper string, done func() error, err error)
}

// ExitError is a command that ended with another status than zero.
type ExitError struct{ Status int }

// Error tells the status.
func (e *ExitError) Error() string {
	return fmt.Sprintf("the command ended with status %d", e.Status)
}

// stage is how far a stage is.
type stage struct {
	config image.Config
	layers []image.Layer
	key    string // of all so far
	when   *time.Time
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
// given, and the layers so far are in the cache.
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
	last.config.Created = last.when
	return b.Images.Put(last.config, last.layers, b.Names...)
}

// now is the date of what is built.
func (j *job) now() *time.Time {
	t := time.Now().UTC()
	if !j.Epoch.IsZero() {
		t = j.Epoch.UTC()
	}
	return &t
}

// stage builds one stage.
func (j *job) stage(ctx context.Context, i int, globals variables) error {
	from := j.file.stages[i]
	j.number++
	j.Progress.Begin(j.number, j.total, oneLine(from.SourceCode))
	base, err := j.file.base(i, globals)
	if err != nil {
		return err
	}
	at, err := j.begin(base)
	if err != nil {
		return atLine(from.Location, fmt.Errorf("FROM %s: %w", from.BaseName, err))
	}
	j.Progress.End(Done)
	steps, err := j.file.compile(i, at.config, j.Args, j.used)
	if err != nil {
		return err
	}
	j.total += len(steps) - j.file.steps(i) // the triggers of a base image are some more
	for _, s := range steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		j.number++
		j.Progress.Begin(j.number, j.total, s.Text)
		how, err := j.step(ctx, at, s)
		if err != nil {
			j.Progress.End(Failed)
			err = fmt.Errorf("%s: %w", s.Text, err)
			if s.Line > 0 {
				err = &LineError{Line: s.Line, Err: err}
			}
			return err
		}
		j.Progress.End(how)
	}
	j.done[i] = at
	return nil
}

// begin returns the beginning of a stage.
func (j *job) begin(b Base) (*stage, error) {
	if b.Stage >= 0 {
		at := *j.done[b.Stage]
		at.config, at.layers = clone(at.config), slices.Clone(at.layers)
		return &at, nil
	}
	if b.Image == "scratch" {
		at := &stage{key: "scratch", when: j.now()}
		at.config.Config.Env = []string{
			"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		}
		return at, nil
	}
	img, err := j.Base(j.Images, b.Image)
	if err != nil {
		return nil, err
	}
	return &stage{
		config: clone(img.Config), layers: img.Layers(), key: img.Descriptor.Digest.String(),
		when: img.Config.Created,
	}, nil
}

// step performs one step on top of a stage, or finds what came of it in the cache.
func (j *job) step(ctx context.Context, at *stage, s Step) (Outcome, error) {
	under, err := j.unpacked(ctx, at.layers)
	if err != nil {
		return Failed, err
	}
	write, err := j.writes(ctx, s)
	if err != nil {
		return Failed, err
	}
	content := ""
	if write != nil {
		if content, err = fingerprint(write, under); err != nil {
			return Failed, err
		}
	}
	if at.key, err = key(at.key, s, content, j.Epoch); err != nil {
		return Failed, err
	}
	made, how := result{}, Cached
	found := false
	if !j.NoCache {
		made, found = j.Cache.get(at.key, j.Images)
	}
	if !found {
		how, made.When = Done, j.now()
		if made.Layer, err = j.layer(ctx, at, s, write, under); err == nil {
			err = j.Cache.put(at.key, made)
		}
	}
	if err != nil {
		return Failed, err
	}
	at.add(s, made)
	return how, nil
}

// add puts what came of a step on top of a stage.
func (at *stage) add(s Step, made result) {
	if made.Layer != nil {
		at.layers = append(at.layers, *made.Layer)
	}
	history := append(at.config.History, v1.History{
		Created: made.When, CreatedBy: s.Text, EmptyLayer: made.Layer == nil,
	})
	at.config, at.when = clone(s.Config), made.When
	at.config.History = history
}

// layer makes the layer of a step, if it has one.
func (j *job) layer(ctx context.Context, at *stage, s Step, write func(*writer) error, under tree,
) (*image.Layer, error) {
	switch {
	case write != nil:
		return j.pack(write, under)
	case s.Run != nil:
		return j.run(ctx, at, s)
	}
	return nil, nil //nolint:nilnil // the configuration alone has changed
}

// unpacked returns layers as a tree.
func (j *job) unpacked(ctx context.Context, layers []image.Layer) (view, error) {
	var v view
	for _, l := range slices.Backward(layers) {
		dir, err := j.Images.Unpack(ctx, l)
		if err != nil {
			return nil, err
		}
		v = append(v, dir)
	}
	return v, nil
}

// writes returns what writes the layer of a step that needs no container; of others none.
func (j *job) writes(ctx context.Context, s Step) (func(*writer) error, error) {
	if s.Mkdir != "" {
		return func(w *writer) error { return w.mkdir(s.Mkdir) }, nil
	}
	if s.Copy == nil {
		return nil, nil //nolint:nilnil // there is nothing to write
	}
	from, err := j.source(ctx, s.Copy.From)
	if err != nil {
		return nil, err
	}
	return func(w *writer) error {
		if err := w.prepare(s.Copy); err != nil {
			return err
		}
		return w.perform(s.Copy, from)
	}, nil
}

// source is what COPY takes files from: a stage, an image, or the directory that is built
// from.
func (j *job) source(ctx context.Context, from *Base) (tree, error) {
	if from == nil {
		return j.Directory, nil
	}
	at := j.done[from.Stage]
	if at == nil {
		var err error
		if at, err = j.begin(*from); err != nil {
			return nil, err
		}
	}
	return j.unpacked(ctx, at.layers)
}

// pack writes a layer into the store, unless it would be empty.
func (j *job) pack(write func(*writer) error, under tree) (*image.Layer, error) {
	empty := true
	l, err := j.Images.AddLayer(func(out io.Writer) error {
		w := newWriter(out, under, j.Epoch)
		if err := write(w); err != nil {
			return err
		}
		empty = w.count == 0
		return w.tar.Close()
	})
	if err != nil || empty {
		return nil, err
	}
	return &l, nil
}

// run has a container run a command, and makes a layer of what it has changed. The image
// below it has no name, and keeps the layers so far for the cache until it is pruned.
func (j *job) run(ctx context.Context, at *stage, s Step) (l *image.Layer, err error) {
	below, err := j.Images.Put(at.config, at.layers)
	if err != nil {
		return nil, err
	}
	upper, done, err := j.Runner.Run(ctx, below, *s.Run, j.Progress)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, done()) }()
	if empty, err := isEmpty(upper); err != nil || empty {
		return nil, err
	}
	made, err := j.Images.AddLayer(func(out io.Writer) error {
		return layer.Write(out, upper, layer.WriteOptions{Epoch: j.Epoch})
	})
	return &made, err
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
