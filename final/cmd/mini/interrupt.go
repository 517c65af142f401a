package main

import (
	"context"
	"io"
	"os/signal"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// interruptible is a context that Ctrl-C ends. What is half made is removed then, for which
// whoever reads or writes has to come back.
func interruptible(cmd *cobra.Command) (ctx context.Context, stop func()) {
	ctx = cmd.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	return signal.NotifyContext(ctx, unix.SIGINT, unix.SIGTERM)
}

// readUntil reads until a context ends, also where nothing comes: somebody else waits for
// that.
func readUntil(ctx context.Context, from io.ReadCloser) io.ReadCloser {
	out, in := io.Pipe()
	go func() {
		defer from.Close()
		_, err := io.CopyBuffer(in, struct{ io.Reader }{from}, make([]byte, 1<<20))
		in.CloseWithError(err) // nil is the end
	}()
	context.AfterFunc(ctx, func() { in.CloseWithError(ctx.Err()) })
	return out
}
