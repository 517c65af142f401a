package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"sync"

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
	none, unfinished := "", engine.Describe(root.Config, root.Layers)
	c, err := r.engine.Create(ctx, engine.Request{
		Image: "build", Unfinished: &unfinished, Entrypoint: &none, Args: run.Args, Tied: true,
		AtOnce:     true,
		Config:     engine.Config{User: run.User, WorkingDir: run.Dir, Env: run.Env},
		HostConfig: engine.HostConfig{NetworkMode: r.network, AutoRemove: true},
	})
	if err != nil {
		return "", nil, err
	}
	conn, err := r.engine.Start(c, true)
	if err != nil {
		return "", nil, errors.Join(err, r.engine.RemoveIfThere(c.ID))
	}
	done = sync.OnceValue(func() error { return r.engine.Release(c, conn) })
	// An interruption ends the container and, with its connection, follow.
	defer context.AfterFunc(ctx, func() { _ = done() })()
	if err := follow(conn, out); err != nil {
		return "", nil, errors.Join(err, done())
	}
	return r.engine.Upper(c), done, nil
}

// follow passes on what a container says, until its end or that of the connection.
func follow(conn *monitor.Conn, out io.Writer) error {
	for {
		kind, data, _, err := conn.Receive()
		if errors.Is(err, io.EOF) {
			return errors.New("the container's monitor was killed")
		}
		if err != nil {
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
