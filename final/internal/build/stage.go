package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"lab/final/internal/image"
	"lab/final/internal/layer"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// stage is how far a stage is.
type stage struct {
	config image.Config
	layers []image.Layer
	key    string // of all so far
	when   time.Time
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
		j.Progress.End(Failed)
		return atLine(from.Location, fmt.Errorf("FROM %s: %w", from.BaseName, err))
	}
	j.Progress.End(Done)
	steps, err := j.file.compile(i, at.config, j.Args, j.used)
	if err != nil {
		return err
	}
	j.total += len(steps) - j.file.steps(i) // the triggers of a base image are some more
	for _, s := range steps {
		j.number++
		j.Progress.Begin(j.number, j.total, s.Text)
		how, err := j.step(ctx, at, s)
		j.Progress.End(how)
		if err != nil {
			return s.failed(err)
		}
	}
	j.done[i] = at
	return nil
}

// failed says which step an error is about.
func (s Step) failed(err error) error {
	err = fmt.Errorf("%s: %w", s.Text, err)
	if s.Line > 0 {
		err = &LineError{Line: s.Line, Err: err}
	}
	return err
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
	at := &stage{
		config: clone(img.Config), layers: img.Layers(), key: img.Descriptor.Digest.String(),
		when: j.now(),
	}
	if img.Config.Created != nil {
		at.when = *img.Config.Created
	}
	return at, nil
}

// step performs one step on top of a stage, or finds what came of it in the cache.
func (j *job) step(ctx context.Context, at *stage, s Step) (how Outcome, err error) {
	if err := ctx.Err(); err != nil {
		return Failed, err
	}
	var under view
	if s.changesFiles() {
		if under, err = j.unpacked(ctx, at.layers); err != nil {
			return Failed, err
		}
	}
	write, err := j.writes(ctx, s)
	if err != nil {
		return Failed, err
	}
	content := ""
	if write != nil {
		if content, err = fingerprint(ctx, write, under); err != nil {
			return Failed, err
		}
	}
	if at.key, err = key(at.key, s, content, j.Epoch); err != nil {
		return Failed, err
	}
	made, known := j.Images.Recall(at.key)
	if how = Cached; !known || j.NoCache {
		how, made = Done, image.Result{When: j.now()}
		if made.Layer, err = j.layer(ctx, at, s, write, under); err == nil {
			err = j.Images.Remember(at.key, made)
		}
	}
	if err != nil {
		return Failed, err
	}
	at.add(s, made)
	return how, nil
}

// add puts what came of a step on top of a stage.
func (at *stage) add(s Step, made image.Result) {
	if made.Layer != nil {
		at.layers = append(at.layers, *made.Layer)
	}
	history := append(at.config.History, v1.History{
		Created: &made.When, CreatedBy: s.Text, EmptyLayer: made.Layer == nil,
	})
	at.config, at.when = clone(s.Config), made.When
	at.config.History = history
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

// layer makes the layer of a step, if it has one.
func (j *job) layer(ctx context.Context, at *stage, s Step, write func(*writer) error, under tree,
) (*image.Layer, error) {
	switch {
	case write != nil:
		return j.pack(ctx, write, under)
	case s.Run != nil:
		return j.run(ctx, Root{at.config, at.layers}, *s.Run)
	}
	return nil, nil //nolint:nilnil // the configuration alone has changed
}

// pack writes a layer into the store, unless it would be empty.
func (j *job) pack(ctx context.Context, write func(*writer) error, under tree) (
	*image.Layer, error,
) {
	empty := true
	l, err := j.Images.AddLayer(func(out io.Writer) error {
		w := newWriter(cancelable{ctx, out}, under, j.Epoch)
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

// run has a container run a command, and makes a layer of what it has changed.
func (j *job) run(ctx context.Context, root Root, r Run) (l *image.Layer, err error) {
	upper, done, err := j.Runner.Run(ctx, root, r, j.Progress)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, done()) }()
	if empty, err := isEmpty(upper); err != nil || empty {
		return nil, err
	}
	made, err := j.Images.AddLayer(func(out io.Writer) error {
		return layer.Write(cancelable{ctx, out}, upper, layer.WriteOptions{Epoch: j.Epoch})
	})
	return &made, err
}
