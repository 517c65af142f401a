//go:build linux

package engine

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"lab/final/internal/image"
	"lab/final/internal/layer"
)

// Commit says what image a container becomes.
type Commit struct {
	Names           []image.Reference
	Author, Message string
	Pause           bool // freeze a container that runs meanwhile
	// Change changes the configuration that the container and its image give.
	Change func(*image.Config) error
}

// Diff tells what a container has changed in its image. It is all in one directory, so
// neither the init layer nor what is in a volume is part of it, but for the directory on
// which a volume is mounted.
func (e *Engine) Diff(c *Container) ([]layer.Change, error) {
	lower, err := e.lower(c)
	if err != nil {
		return nil, err
	}
	return layer.Diff(e.Upper(c), lower)
}

// Commit makes an image of a container: that of which it was made, and one more layer of
// what it has changed.
func (e *Engine) Commit(ctx context.Context, c *Container, o Commit) (img *image.Image, err error) {
	err = e.locked(c, func(c *Container) error {
		if o.Pause && c.State.Running && !c.State.Paused {
			if err := e.Pause(c); err != nil {
				return err
			}
			img, err = e.commit(ctx, c, o)
			return errors.Join(err, e.Unpause(c))
		}
		img, err = e.commit(ctx, c, o)
		return err
	})
	return img, err
}

// commit makes the image. The store is held until it is named.
func (e *Engine) commit(ctx context.Context, c *Container, o Commit) (*image.Image, error) {
	store, err := e.Images()
	if err != nil {
		return nil, err
	}
	release, err := store.Hold()
	if err != nil {
		return nil, err
	}
	defer release()
	base, err := store.Resolve(c.Image)
	if err != nil {
		return nil, err
	}
	changes, err := e.Diff(c)
	if err != nil {
		return nil, err
	}
	layers := base.Layers()
	if len(changes) > 0 {
		l, err := store.AddLayer(func(w io.Writer) error {
			return layer.Write(WriteUntil(ctx, w), e.Upper(c), layer.WriteOptions{})
		})
		if err != nil {
			return nil, err
		}
		layers = append(layers, l)
	}
	config := c.imageConfig(base.Config, o, len(changes) == 0)
	if o.Change != nil {
		err = o.Change(&config)
	}
	if err != nil {
		return nil, err
	}
	return store.Put(config, layers, o.Names...)
}

// WriteUntil writes until a context ends.
func WriteUntil(ctx context.Context, to io.Writer) io.Writer { return untilDone{ctx, to} }

// untilDone is what WriteUntil writes to.
type untilDone struct {
	ctx context.Context //nolint:containedctx // It is all that this adds to a writer.
	to  io.Writer
}

// Write writes, or says why not.
func (u untilDone) Write(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.to.Write(p)
}

// imageConfig is the configuration of the image that a container becomes.
func (c *Container) imageConfig(config image.Config, o Commit, same bool) image.Config {
	now := time.Now().UTC()
	config.Created, config.Author = &now, o.Author
	config.History = append(slices.Clone(config.History), v1.History{
		Created: &now, Author: o.Author, Comment: o.Message, EmptyLayer: same,
		CreatedBy: strings.Join(append([]string{c.Path}, c.Args...), " "),
	})
	p := &config.Config
	p.User, p.WorkingDir, p.StopSignal = c.Config.User, c.Config.WorkingDir, c.Config.StopSignal
	p.Env, p.Labels = c.Config.Env, c.Config.Labels
	p.Entrypoint, p.Cmd = c.Config.Entrypoint, c.Config.Cmd
	return config
}
