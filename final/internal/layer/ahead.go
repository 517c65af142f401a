package layer

import (
	"context"
	"errors"
	"hash"
	"io"
)

// chunk is how much is read at once, and chunks how many of them wait for the reader.
const (
	chunk  = 256 << 10
	chunks = 8
)

// ahead reads in a goroutine of its own, so that unpacking and the digest are computed
// while files are written.
type ahead struct {
	full  chan []byte
	empty chan []byte
	rest  []byte
	now   []byte // the chunk that rest is part of
	err   error  // set before full is closed
	stop  context.CancelFunc
}

// readAhead begins to read r and to compute its digest. Close waits until it has ended.
func readAhead(ctx context.Context, r io.Reader, sum hash.Hash) *ahead {
	ctx, stop := context.WithCancel(ctx)
	a := &ahead{full: make(chan []byte, chunks), empty: make(chan []byte, chunks), stop: stop}
	for range chunks {
		a.empty <- make([]byte, chunk)
	}
	go a.run(ctx, r, sum)
	return a
}

// run fills chunks until the end, an error, or nobody wants them any more.
func (a *ahead) run(ctx context.Context, r io.Reader, sum hash.Hash) {
	defer close(a.full)
	for {
		var buffer []byte
		select {
		case <-ctx.Done():
			a.err = context.Cause(ctx)
			return
		case buffer = <-a.empty:
		}
		n, err := io.ReadFull(r, buffer[:chunk])
		sum.Write(buffer[:n])
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			a.err = err
		}
		if n > 0 {
			a.full <- buffer[:n] // there is room for all chunks
		}
		if err != nil {
			if a.err == nil {
				a.err = io.EOF
			}
			return
		}
	}
}

// Read returns what has been read, or waits for it.
func (a *ahead) Read(p []byte) (int, error) {
	for len(a.rest) == 0 {
		if a.now != nil {
			a.empty <- a.now
			a.now = nil
		}
		next, ok := <-a.full
		if !ok {
			return 0, a.err
		}
		a.now, a.rest = next, next
	}
	n := copy(p, a.rest)
	a.rest = a.rest[n:]
	return n, nil
}

// Close ends the reading and waits for the goroutine.
func (a *ahead) Close() error {
	a.stop()
	for range a.full {
	}
	return nil
}
