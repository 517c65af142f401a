//go:build linux

package event

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"time"
)

// Query says which events are wanted.
type Query struct {
	Since, Until time.Time        // none is no bound
	Wanted       func(Event) bool // nil is all
	Follow       bool             // also those that come, until Until
}

// lookAgain is how often a file that is followed is looked at.
const lookAgain = 50 * time.Millisecond

// Read calls show for each event that is wanted, in the order in which they happened.
func (l Log) Read(ctx context.Context, q Query, show func(Event) error) error {
	r := &reader{log: l, query: q, show: show}
	defer r.close()
	if err := r.begin(); err != nil {
		return err
	}
	for {
		if err := r.all(); err != nil || !r.goesOn() {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(lookAgain):
		}
	}
}

// reader reads one file after the other.
type reader struct {
	log   Log
	query Query
	show  func(Event) error
	file  *os.File // nil until there is one
	lines *bufio.Reader
	rest  []byte // a line that is being written
}

// begin reads what is older than the file, and opens that. Should it be renamed in
// between, it is the older one that is read.
func (r *reader) begin() error {
	if err := r.open(string(r.log)); err != nil {
		return err
	}
	now, lines := r.file, r.lines
	if err := r.open(r.log.older()); err != nil {
		return err
	}
	if now == nil || r.file != nil && !same(r.file, now) {
		if err := r.toEnd(); err != nil {
			return err
		}
	}
	r.close()
	r.file, r.lines = now, lines
	return nil
}

// same reports whether two are one file.
func same(a, b *os.File) bool {
	one, err := a.Stat()
	if err != nil {
		return false
	}
	other, err := b.Stat()
	return err == nil && os.SameFile(one, other)
}

// open opens a file if it is there.
func (r *reader) open(path string) error {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		r.file, r.lines = nil, nil
		return nil
	}
	if err != nil {
		return err
	}
	r.file, r.lines = file, bufio.NewReader(file)
	return nil
}

// close closes the file that is open.
func (r *reader) close() {
	if r.file != nil {
		_ = r.file.Close() // it was read
	}
	r.file = nil
}

// all reads to the end of what is there, and goes over to the next file if there is one.
func (r *reader) all() error {
	for {
		// Whoever renames it holds its lock, so nothing is added after that.
		replaced := r.file == nil || !r.isCurrent()
		if err := r.toEnd(); err != nil {
			return err
		}
		if !replaced || !r.query.Follow {
			return nil
		}
		r.close()
		if err := r.open(string(r.log)); err != nil || r.file == nil {
			return err
		}
	}
}

// isCurrent reports whether events are still added to the open file.
func (r *reader) isCurrent() bool {
	info, err := r.file.Stat()
	return err == nil && r.log.is(info)
}

// toEnd reads the open file to its end.
func (r *reader) toEnd() error {
	for r.file != nil {
		text, err := r.lines.ReadBytes('\n')
		r.rest = append(r.rest, text...)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		e, ok := parse(r.rest)
		r.rest = nil
		if ok && r.isWanted(e) {
			if err := r.show(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// isWanted reports whether an event is asked for.
func (r *reader) isWanted(e Event) bool {
	q := r.query
	return !e.At().Before(q.Since) && (q.Until.IsZero() || !e.At().After(q.Until)) &&
		(q.Wanted == nil || q.Wanted(e))
}

// goesOn reports whether more is to be waited for.
func (r *reader) goesOn() bool {
	return r.query.Follow && (r.query.Until.IsZero() || time.Now().Before(r.query.Until))
}
