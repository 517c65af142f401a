//go:build linux

// Package event keeps what has happened to containers, in a file that does not grow for
// ever:
//
//	log := event.Log(filepath.Join(root, "events"))
//	err := log.Add(event.Event{Type: "container", Action: "start", …})
//	err = log.Read(ctx, event.Query{Since: yesterday}, show)
//
// Each event is a line of JSON, in the words of `docker events`. Many add to the file at a
// time, each under its lock, flock(2). When it has become large it is renamed to events.1,
// in the place of the one before, and a new one begins.
package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Event is something that has happened.
type Event struct {
	Type     string // container
	Action   string // create, start, die …
	Actor    Actor
	Time     int64 `json:"time"` // seconds since 1970
	TimeNano int64 `json:"timeNano"`
}

// Actor is what it has happened to.
type Actor struct {
	ID         string
	Attributes map[string]string
}

// At is when it has happened.
func (e Event) At() time.Time { return time.Unix(0, e.TimeNano) }

// Log is the path of a file of events.
type Log string

// largest is how large the file becomes.
const largest = 1 << 20

// Add notes what happens now.
func (l Log) Add(e Event) error {
	file, err := l.lock()
	if err != nil {
		return fmt.Errorf("note what happens: %w", err)
	}
	defer file.Close()
	now := time.Now()
	e.Time, e.TimeNano = now.Unix(), now.UnixNano()
	text, err := json.Marshal(e)
	if err == nil {
		_, err = file.Write(append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("note what happens: %w", err)
	}
	return nil
}

// lock opens the file and locks it. It is another one if somebody renamed it meanwhile.
func (l Log) lock() (*os.File, error) {
	for {
		file, err := os.OpenFile(string(l), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			return nil, err
		}
		if err := unix.Flock(int(file.Fd()), unix.LOCK_EX); err != nil {
			_ = file.Close() // the first error is told
			if errors.Is(err, unix.EINTR) {
				continue
			}
			return nil, fmt.Errorf("flock %s: %w", l, err)
		}
		info, err := file.Stat()
		if err != nil {
			return nil, errors.Join(err, file.Close())
		}
		if l.is(info) && info.Size() < largest {
			return file, nil
		}
		if l.is(info) {
			err = os.Rename(string(l), l.older())
		}
		if err = errors.Join(err, file.Close()); err != nil {
			return nil, err
		}
	}
}

// older is the path of the events before those of the file.
func (l Log) older() string { return string(l) + ".1" }

// is reports whether a file is still the one at the path.
func (l Log) is(open fs.FileInfo) bool {
	now, err := os.Stat(string(l))
	return err == nil && os.SameFile(open, now)
}

// parse reads one line. One that was cut short, by a full disk, is none.
func parse(line []byte) (e Event, ok bool) {
	err := json.Unmarshal(bytes.TrimSpace(line), &e)
	return e, err == nil && e.Action != ""
}
