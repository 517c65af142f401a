//go:build linux

package session

import (
	"context"
	"slices"
	"strings"

	"lab/internal/course"
	"lab/internal/screen"
)

// key does what a key stands for.
func (s *session) key(ctx context.Context, key rune) {
	m := s.model
	m.note = ""
	switch {
	case key == keyGone:
		s.quit = true
	case m.ask != nil:
		s.answer(key)
	case m.page != nil && key != 'q':
		s.read(key)
	case m.page != nil:
		m.page = nil
	default:
		s.act(ctx, key)
	}
}

// answer is that to a question: y is yes, all else is no.
func (s *session) answer(key rune) {
	yes := s.model.ask
	s.model.ask = nil
	if key != 'y' {
		s.note("nothing was done")
		return
	}
	yes()
}

// scrolled returns where a text begins after a key, and whether it is one to
// scroll with.
func scrolled(top, room int, key rune) (int, bool) {
	switch key {
	case keyDown, 'j', '\n':
		return top + 1, true
	case keyUp, 'k':
		return top - 1, true
	case ' ', keyPageDown:
		return top + room, true
	case 'b', keyPageUp:
		return top - room, true
	}
	return top, false
}

// read scrolls the page, or closes it.
func (s *session) read(key rune) {
	page := s.model.page
	top, isScroll := scrolled(page.top, max(1, s.screen.Height-6), key)
	if isScroll {
		page.top = top
		return
	}
	s.model.page = nil
}

// act is what the keys of the legend do.
func (s *session) act(ctx context.Context, key rune) {
	switch key {
	case 'q', 'Q':
		s.quit = true
	case 'c':
		s.check()
	case 'h':
		s.open(s.Hint)
	case 's':
		s.open(s.Lesson)
	case 'l':
		s.open(s.List)
	case 'n':
		s.next(ctx)
	case 'r':
		s.reset(ctx)
	default:
		top, isScroll := scrolled(s.model.top, max(1, s.screen.Height-8), key)
		switch {
		case isScroll:
			s.model.top = top
		case key > ' ':
			s.note("%q does nothing here: %s", key, legend)
		}
	}
}

// open shows a text until another key.
func (s *session) open(make Page) {
	title, draw, err := make(s.model.step)
	if err != nil {
		s.note("%v", err)
		return
	}
	if s.Plain {
		s.plainly("\n%s\n%s\n", title, strings.TrimRight(draw(s.screen), "\n"))
		return
	}
	s.model.page = &page{title: title, lines: func(to screen.Screen) []string {
		return strings.Split(strings.TrimRight(draw(to), "\n"), "\n")
	}}
}

// next goes on to the step after this one and starts it where that was not done.
// Whoever has not passed this one is asked.
func (s *session) next(ctx context.Context) {
	steps := course.Steps()
	i := slices.IndexFunc(steps, func(c course.Step) bool { return c.ID == s.model.step.ID }) + 1
	if i == len(steps) {
		s.note("this is the last step")
		return
	}
	to := steps[i]
	goOn := func() {
		if s.started(to) {
			s.watch(ctx, to)
			return
		}
		s.command(ctx, func(said string, err error) {
			if err != nil {
				s.note("lab start %s: %s", to.ID[:2], firstLine(said, err))
				return
			}
			s.model.note = ""
			s.watch(ctx, to)
		}, "start", to.ID)
	}
	if s.model.kept.Passed(s.model.step.ID) {
		goOn()
		return
	}
	s.note("%s has not passed yet. Go on to %s? y is yes", s.model.step.ID, to.ID)
	s.model.ask = goOn
}

// reset begins the step anew, if the learner wants that. A backup is kept.
func (s *session) reset(ctx context.Context) {
	step := s.model.step
	s.note("Begin %s anew, with a backup of your program? y is yes", step.ID)
	s.model.ask = func() {
		s.command(ctx, func(said string, err error) {
			if err != nil {
				s.note("lab reset %s: %s", step.ID[:2], firstLine(said, err))
				return
			}
			s.note("%s", firstLine(said, nil))
			s.check()
		}, "reset", step.ID, "--yes")
	}
}

// firstLine is the first line of what a command said, or its error.
func firstLine(said string, err error) string {
	line, _, _ := strings.Cut(said, "\n")
	if line == "" && err != nil {
		return err.Error()
	}
	return strings.TrimPrefix(line, "lab: ")
}
