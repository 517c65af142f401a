//go:build linux

package monitor

import (
	"bytes"
	"os"
	"sync"
	"time"
)

// maxLine is how much of a line is kept back to be written as one.
const maxLine = 16 << 10

// Log is the file of what a container has said: lines with their time and stream, where
// P is the part of a line that goes on:
//
//	2026-01-02T15:04:05.000000001Z stdout F GET / 200
//	2026-01-02T15:04:05.000000002Z stderr P no newline yet
type Log struct {
	mu   sync.Mutex
	file *os.File
	rest map[Kind][]byte // lines that have no end yet
}

// OpenLog opens the log for more.
func OpenLog(path string) (*Log, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	return &Log{file: file, rest: map[Kind][]byte{}}, nil
}

// Write takes what the container has said on a stream. When the disk is full the log has
// a gap, and the container goes on.
func (l *Log) Write(stream Kind, said []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []byte
	now := time.Now()
	for len(said) > 0 {
		line, rest, whole := bytes.Cut(said, []byte{'\n'})
		said = rest
		line = append(l.rest[stream], line...)
		if !whole && len(line) < maxLine {
			l.rest[stream] = line
			break
		}
		l.rest[stream] = nil
		out = appendLine(out, now, stream, line, whole)
	}
	_, _ = l.file.Write(out) // see above
}

// End writes what the stream has left: a line without an end.
func (l *Log) End(stream Kind) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if rest := l.rest[stream]; len(rest) > 0 {
		_, _ = l.file.Write(appendLine(nil, time.Now(), stream, rest, false)) // see Write
		l.rest[stream] = nil
	}
}

// appendLine formats one line.
func appendLine(to []byte, at time.Time, stream Kind, line []byte, whole bool) []byte {
	to = at.UTC().AppendFormat(to, "2006-01-02T15:04:05.000000000Z")
	to = append(to, ' ')
	to = append(to, streamName(stream)...)
	if whole {
		to = append(to, " F "...)
	} else {
		to = append(to, " P "...)
	}
	return append(append(to, line...), '\n')
}

// streamName is the word of a stream.
func streamName(stream Kind) string {
	if stream == Errors {
		return "stderr"
	}
	return "stdout"
}

// Close closes the file.
func (l *Log) Close() error { return l.file.Close() }
