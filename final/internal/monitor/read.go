//go:build linux

package monitor

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// Line is one of a log, or a part of one.
type Line struct {
	At     time.Time
	Stream Kind
	Whole  bool // the container has ended it
	Text   string
}

// LogQuery says which lines of a log are wanted.
type LogQuery struct {
	Since, Until time.Time
	Tail         int // the last ones; all if negative
	// Ended, if there is one, is closed when nothing will follow; until then what is
	// added to the log is waited for.
	Ended <-chan struct{}
}

// lookAgain is how often a log that is followed is looked at.
const lookAgain = 50 * time.Millisecond

// ReadLog calls show for each line of a log that is wanted.
func ReadLog(ctx context.Context, path string, q LogQuery, show func(Line) error) error {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil // nothing was ever said
	}
	if err != nil {
		return err
	}
	defer file.Close()
	r := &logReader{q: q, show: show}
	lines := bufio.NewReader(file)
	for {
		// What is said before the end is in the log when that is told.
		ended := q.Ended == nil || isClosed(q.Ended)
		if err := r.all(lines); err != nil {
			return err
		}
		if err := r.flush(); err != nil || ended {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-q.Ended:
		case <-time.After(lookAgain):
		}
	}
}

// isClosed reports whether a channel is closed.
func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// logReader chooses the lines.
type logReader struct {
	q    LogQuery
	show func(Line) error
	rest string // a line that is being written
	last []Line // those that may be among the last ones
	live bool   // these have been shown
}

// all reads to the end of what is there.
func (r *logReader) all(lines *bufio.Reader) error {
	for {
		text, err := lines.ReadString('\n')
		r.rest += text
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		line, err := parseLine(strings.TrimSuffix(r.rest, "\n"))
		r.rest = ""
		if err != nil {
			return err
		}
		if err := r.take(line); err != nil {
			return err
		}
	}
}

// take shows a line, or keeps it until it is known to be one of the last.
func (r *logReader) take(line Line) error {
	unwanted := line.At.Before(r.q.Since) || !r.q.Until.IsZero() && line.At.After(r.q.Until)
	switch {
	case unwanted:
		return nil
	case r.live || r.q.Tail < 0:
		return r.show(line)
	}
	r.last = append(r.last, line)
	if extra := len(r.last) - r.q.Tail; extra > 0 {
		r.last = r.last[extra:]
	}
	return nil
}

// flush shows the last lines, once.
func (r *logReader) flush() error {
	r.live = true
	for _, line := range r.last {
		if err := r.show(line); err != nil {
			return err
		}
	}
	r.last = nil
	return nil
}

// parseLine reads a line of a log; see Log.
func parseLine(text string) (Line, error) {
	fields := strings.SplitN(text, " ", 4)
	if len(fields) != 4 {
		return Line{}, fmt.Errorf("the log has a line that is none: %q", text)
	}
	at, err := time.Parse(time.RFC3339Nano, fields[0])
	if err != nil {
		return Line{}, fmt.Errorf("the log has a line without a time: %w", err)
	}
	line := Line{At: at, Stream: Output, Whole: fields[2] == "F", Text: fields[3]}
	if fields[1] == "stderr" {
		line.Stream = Errors
	}
	return line, nil
}
