// Package watch shows a picture again and again and marks what changed since the
// last one, with a sign at the beginning of the line:
//
//   - a line that is new
//   - a line that is gone
//     ~  a line that is another now
//
// On a terminal the picture stays in its place. Into a pipe only pictures that
// differ are written, an empty line between two.
package watch

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"lab/internal/screen"
)

// Shortest is the least time between two pictures.
const Shortest = 50 * time.Millisecond

// margin is what the marks need at the left.
const margin = 2

// Run shows what draw draws until the context ends, which is no error, or draw
// fails.
func Run(
	ctx context.Context, to screen.Screen, every time.Duration, draw func(screen.Screen) error,
) error {
	var before []string
	for first := true; ; first = false {
		if size := screen.Of(to.Writer); to.Terminal && size.Terminal {
			to.Width, to.Height = size.Width, size.Height // it may be another one by now
		}
		now, err := picture(to, draw)
		if err != nil {
			return err
		}
		if first {
			before = now
		}
		lines, changed := mark(before, now)
		switch {
		case to.Terminal:
			err = redraw(to, every, lines)
		case changed || first:
			err = write(to, lines, first)
		}
		if err != nil {
			return fmt.Errorf("write the picture: %w", err)
		}
		before = now
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(every):
		}
	}
}

// picture returns the lines that draw prints.
func picture(to screen.Screen, draw func(screen.Screen) error) ([]string, error) {
	var text bytes.Buffer
	narrow := to.To(&text)
	narrow.Width -= margin
	if err := draw(narrow); err != nil {
		return nil, err
	}
	return strings.Split(strings.TrimRight(text.String(), "\n"), "\n"), nil
}

// redraw puts a picture in the place of the one before. What does not fit on the
// screen is left out, and said.
//
//	ESC [ H    to the upper left      ESC [ K    clear the rest of the line
//	ESC [ J    clear all below
func redraw(to screen.Screen, every time.Duration, lines []string) error {
	room := to.Height - 2
	if room > 1 && len(lines) > room {
		hidden := lines[room-1:]
		more := fmt.Sprintf("  and %d lines more", len(hidden))
		if n := marked(hidden); n > 0 {
			more = fmt.Sprintf("%sand %d lines more, %d of them marked", another, len(hidden), n)
		}
		lines = append(lines[:room-1:room-1], more)
	}
	foot := fmt.Sprintf("  every %s: + new, - gone, ~ changed; Ctrl-C ends", every)
	var b strings.Builder
	b.WriteString("\x1b[H")
	for _, line := range append(lines, to.Faint(foot)) {
		b.WriteString(line + "\x1b[K\n")
	}
	b.WriteString("\x1b[J")
	_, err := io.WriteString(to, b.String())
	return err
}

// marked returns how many lines have a mark.
func marked(lines []string) int {
	n := 0
	for _, line := range lines {
		for _, mark := range []string{added, gone, another} {
			if strings.HasPrefix(line, mark) {
				n++
			}
		}
	}
	return n
}

// write writes a picture below the one before.
func write(to io.Writer, lines []string, first bool) error {
	text := strings.Join(lines, "\n") + "\n"
	if !first {
		text = "\n" + text
	}
	_, err := io.WriteString(to, text)
	return err
}
