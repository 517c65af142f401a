package build

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/term"
)

// Outcome is how a step ended.
type Outcome int

// The ways a step ends.
const (
	Done Outcome = iota
	Cached
	Failed
)

// Progress is told how a build goes. What is written to it is what the commands say.
type Progress interface {
	io.Writer
	Begin(number, total int, text string)
	End(how Outcome)
	Warn(text string)
}

// Plain prints a line for all that happens, so that it can be kept.
//
//	#2 [2/5] RUN make
//	#2 0.31 cc -o hello hello.c
//	#2 done 1.2s
type Plain struct {
	Out io.Writer

	mutex  sync.Mutex
	number int
	began  time.Time
	rest   []byte // the beginning of a line
}

// Begin prints what begins.
func (p *Plain) Begin(number, total int, text string) {
	p.number, p.began = number, time.Now()
	fmt.Fprintf(p.Out, "#%d [%d/%d] %s\n", number, number, total, text)
}

// Write prints what a command says, line by line.
func (p *Plain) Write(text []byte) (int, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.rest = append(p.rest, text...)
	for {
		line, after, found := bytes.Cut(p.rest, []byte("\n"))
		if !found {
			return len(text), nil
		}
		p.line(line)
		p.rest = after
	}
}

// line prints one line of a command.
func (p *Plain) line(text []byte) {
	seconds := time.Since(p.began).Seconds()
	fmt.Fprintf(p.Out, "#%d %.2f %s\n", p.number, seconds, bytes.TrimRight(text, "\r"))
}

// End prints how it ended.
func (p *Plain) End(how Outcome) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if len(p.rest) > 0 {
		p.line(p.rest)
		p.rest = nil
	}
	switch how {
	case Cached:
		fmt.Fprintf(p.Out, "#%d cached\n\n", p.number)
	case Failed:
		fmt.Fprintf(p.Out, "#%d failed\n\n", p.number)
	case Done:
		fmt.Fprintf(p.Out, "#%d done %.1fs\n\n", p.number, time.Since(p.began).Seconds())
	}
}

// Warn prints a warning.
func (p *Plain) Warn(text string) { fmt.Fprintf(p.Out, "warning: %s\n", text) }

// Terminal shows one line a step, and below the one that runs the last lines of what its
// command says. They vanish with its end, unless it fails.
type Terminal struct {
	Out    io.Writer
	Width  int
	Height int // how many lines of a command are shown at once

	mutex sync.Mutex
	text  string
	began time.Time
	shown int      // lines below the step's
	lines []string // what the command has said
	rest  []byte
}

// NewTerminal returns a progress for a terminal, with its width.
func NewTerminal(out io.Writer, fd int) *Terminal {
	width, _, err := term.GetSize(fd)
	if err != nil || width < 20 {
		width = 80
	}
	return &Terminal{Out: out, Width: width, Height: 6}
}

// Begin shows what begins.
func (t *Terminal) Begin(number, total int, text string) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.text, t.began = fmt.Sprintf("[%d/%d] %s", number, total, text), time.Now()
	t.shown, t.lines, t.rest = 0, nil, nil
	fmt.Fprintf(t.Out, "   %s\n", t.cut(t.text, 4))
}

// cut shortens a line to what fits beside something else. Signs that would move the
// cursor are left out.
func (t *Terminal) cut(text string, beside int) string {
	var room []rune
	for _, r := range text {
		if r == '\t' {
			r = ' '
		}
		if r >= ' ' && r != 0x7f {
			room = append(room, r)
		}
	}
	if most := t.Width - beside; len(room) > most {
		room = append(room[:max(0, most-1)], '…')
	}
	return string(room)
}

// Write shows what a command says.
func (t *Terminal) Write(text []byte) (int, error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.rest = append(t.rest, text...)
	for {
		line, after, found := bytes.Cut(t.rest, []byte("\n"))
		if !found {
			break
		}
		t.lines = append(t.lines, string(line))
		t.rest = after
	}
	t.erase()
	last := t.lines[max(0, len(t.lines)-t.Height):]
	for _, line := range last {
		fmt.Fprintf(t.Out, "\x1b[2m   │ %s\x1b[0m\n", t.cut(line, 6))
	}
	t.shown = len(last)
	return len(text), nil
}

// erase takes away what is below the step's line.
func (t *Terminal) erase() {
	if t.shown > 0 {
		fmt.Fprintf(t.Out, "\x1b[%dA\x1b[J", t.shown)
		t.shown = 0
	}
}

// End shows how it ended, and all that the command has said if that was badly.
func (t *Terminal) End(how Outcome) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.erase()
	sign, colour, note := "✓", 32, fmt.Sprintf("%.1fs", time.Since(t.began).Seconds())
	switch how {
	case Cached:
		note = "cached"
	case Failed:
		sign, colour = "✗", 31
	case Done:
	}
	fmt.Fprintf(t.Out, "\x1b[1A\x1b[J\x1b[%dm %s\x1b[0m %s \x1b[2m%s\x1b[0m\n",
		colour, sign, t.cut(t.text, 5+len(note)), note)
	if how != Failed {
		return
	}
	if len(t.rest) > 0 {
		t.lines = append(t.lines, string(t.rest))
	}
	for _, line := range t.lines {
		fmt.Fprintf(t.Out, "   │ %s\n", t.cut(line, 6))
	}
}

// Warn shows a warning.
func (t *Terminal) Warn(text string) { fmt.Fprintf(t.Out, "\x1b[33mwarning: %s\x1b[0m\n", text) }
