package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"

	"lab/final/internal/build"
	"lab/final/internal/engine"
	"lab/final/internal/monitor"
)

// runner has the engine run the commands of a build.
type runner struct {
	engine  *engine.Engine
	network string
}

// Run runs a command in a container that ends with us, whatever ends us, and is removed
// with done.
func (r runner) Run(ctx context.Context, root build.Root, run build.Run, out io.Writer) (
	upper string, done func() error, err error,
) {
	none, image := "", engine.Describe(root.Config, root.Layers)
	c, err := r.engine.Create(engine.Request{
		Image:      "build",
		Unfinished: &image,
		Entrypoint: &none, Args: run.Args, Tied: true,
		Config:     engine.Config{User: run.User, WorkingDir: run.Dir, Env: run.Env},
		HostConfig: engine.HostConfig{NetworkMode: r.network, AutoRemove: true},
	})
	if err != nil {
		return "", nil, err
	}
	conn, err := r.engine.Start(c, true)
	if err != nil {
		return "", nil, errors.Join(err, r.remove(c))
	}
	done = func() error {
		_ = conn.Close() // which the monitor has waited for
		return r.remove(c)
	}
	if err := follow(ctx, conn, out); err != nil {
		return "", nil, errors.Join(err, done())
	}
	return r.engine.Upper(c), done, nil
}

// remove removes a container that may be about to remove itself.
func (r runner) remove(c *engine.Container) error {
	c, err := r.engine.Find(c.ID)
	if err == nil {
		err = r.engine.Remove(c, true)
	}
	if errors.Is(err, engine.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// follow passes on what a container says, until its end or that of the context.
func follow(ctx context.Context, conn *monitor.Conn, out io.Writer) error {
	// Closing the connection ends Receive, and the container.
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	for {
		kind, data, _, err := conn.Receive()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, io.EOF):
			return errors.New("the container's monitor was killed")
		case err != nil:
			return err
		}
		switch kind {
		case monitor.Output, monitor.Errors:
			if _, err := out.Write(data); err != nil {
				return err
			}
		case monitor.Exited:
			var s monitor.State
			if err := json.Unmarshal(data, &s); err != nil || s.ExitCode == 0 {
				return err
			}
			return &build.ExitError{Status: s.ExitCode}
		default: // that it has started
		}
	}
}
