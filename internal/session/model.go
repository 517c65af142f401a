//go:build linux

package session

import (
	"strings"

	"lab/internal/course"
	"lab/internal/progress"
	"lab/internal/screen"
)

// model is all that the screen shows.
type model struct {
	step  course.Step
	kept  *progress.File
	where string // the directory that is watched, and how

	running bool
	total   int     // checks there will be at most
	results []event // those that have answered
	build   string  // what the compiler says
	trouble string  // why there is no result at all
	end     *event

	note string // one line, until the next key
	ask  func() // what y does; nil is no question
	page *page  // a text over all; nil is none
	top  int    // the first line of the results that is shown
}

// page is a text to read, in lines of a screen's width.
type page struct {
	title string
	lines func(screen.Screen) []string
	top   int
}

// begin forgets the last result.
func (m *model) begin() {
	m.running, m.total, m.results, m.top = true, 0, nil, 0
	m.build, m.trouble, m.end = "", "", nil
}

// take adds an event of the check that runs.
func (m *model) take(e event) {
	switch e.Event {
	case "begin":
		m.total = e.Checks
	case "build":
		if !e.OK {
			m.build = strings.TrimSpace(e.Output)
		}
	case "check":
		m.results = append(m.results, e)
	case "end":
		m.end = &e
	}
}

// finish is the end of the check's process, which may have said why it could not
// do its work.
func (m *model) finish(said string) {
	m.running = false
	if m.end == nil && m.build == "" {
		m.trouble = said
		if said == "" {
			m.trouble = "the check ended without a result"
		}
	}
}
