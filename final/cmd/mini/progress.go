package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/term"

	"lab/final/internal/image"
	"lab/final/internal/registry"
)

// progress shows how far the layers of an image are: at a terminal a bar for each, drawn
// again and again, elsewhere a line for each when it is there.
type progress struct {
	to    io.Writer
	width int // of the terminal; 0 is none

	mu     sync.Mutex
	order  []digest.Digest
	layers map[digest.Digest]registry.Progress
	drawn  int // lines on the screen
	last   time.Time
}

// barEvery is how often bars are drawn.
const barEvery = 80 * time.Millisecond

// newProgress shows it on w, or nowhere.
func newProgress(w io.Writer, quiet bool) *progress {
	p := &progress{to: w, layers: map[digest.Digest]registry.Progress{}}
	if quiet {
		p.to = io.Discard
	}
	if f, ok := p.to.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil {
			p.width = width
		}
	}
	return p
}

// report takes in how far a layer is.
func (p *progress) report(now registry.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before, known := p.layers[now.Layer]
	if !known {
		p.order = append(p.order, now.Layer)
	}
	p.layers[now.Layer] = now
	changed := !known || before.State != now.State
	switch {
	case p.width == 0 && changed && now.State >= registry.Finished:
		fmt.Fprintln(p.to, p.line(now))
	case p.width > 0 && (changed || time.Since(p.last) > barEvery):
		p.draw()
	}
}

// end draws the bars a last time.
func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.width > 0 {
		p.draw()
	}
}

// draw writes a line for each layer over those that were written before.
func (p *progress) draw() {
	var b strings.Builder
	if p.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", p.drawn) // so many lines up
	}
	for _, d := range p.order {
		fmt.Fprintf(&b, "\r\x1b[K%s\n", p.line(p.layers[d]))
	}
	p.drawn, p.last = len(p.order), time.Now()
	fmt.Fprint(p.to, b.String())
}

// line describes a layer:
//
//	2f5c1c2c7a3e  [###########.............]  12.3MB of 45.6MB
func (p *progress) line(now registry.Progress) string {
	text := image.ShortID(now.Layer) + "  "
	switch now.State {
	case registry.Waiting:
		return text + "waiting, " + bytesText(now.Total)
	case registry.There:
		return text + "is there already, " + bytesText(now.Total)
	case registry.Finished:
		return text + "done, " + bytesText(now.Total)
	case registry.Travelling:
	}
	words := fmt.Sprintf("  %s of %s", bytesText(now.Done), bytesText(now.Total))
	size := min(max(p.width-len(text)-len(words)-3, 0), 40)
	done := size
	if now.Total > 0 {
		done = int(int64(size) * min(now.Done, now.Total) / now.Total)
	}
	return text + "[" + strings.Repeat("#", done) + strings.Repeat(".", size-done) + "]" + words
}
