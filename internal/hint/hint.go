// Package hint has three hints to each step, each one closer to the solution, and
// a first one of its own for what a check found wrong. They stand in steps/NN-topic.md,
// and any.md, in sections whose headings say when they are for:
//
//	# 03-mount
//
//	## mistake root-left-shared         the named mistake
//	## kernel pivot_root … invalid      the kernel said so, whichever check asked
//	## check its root is the given …    that check failed
//	## 1                                nothing is known to have failed
//	## 2
//	## 3
//
// A heading without a text shares that of the next one. What is typed stands in
// console blocks, as in a lesson, and a test types it.
package hint

import (
	"embed"
	"errors"
	"fmt"
	"slices"
	"strings"

	"lab/internal/course"
	"lab/internal/lesson"
	"lab/internal/progress"
)

// Levels is how many hints a step has.
const Levels = 3

//go:embed steps/*.md
var files embed.FS

// ErrLevel marks a level that there is not.
var ErrLevel = errors.New("hints are numbered 1 to 3")

// Hints are those of one step.
type Hints struct {
	levels    [Levels]string
	reactions []reaction
}

// reaction is the first hint where it is known what failed.
type reaction struct {
	kind    string // mistake, kernel or check
	pattern string
	text    string
}

// anyStep has the reactions to what can happen in each of them.
const anyStep = "any"

// Of reads the hints of a step.
func Of(step string) (*Hints, error) {
	h, err := read(step)
	if err != nil {
		return nil, err
	}
	for i, text := range h.levels {
		if text == "" {
			return nil, fmt.Errorf("hints to %s: number %d is missing", step, i+1)
		}
	}
	// A step has to pass the checks of its ancestors, too.
	more := []string{anyStep}
	for _, ancestor := range course.UpTo(step) {
		if ancestor.ID != step {
			more = append(more, ancestor.ID)
		}
	}
	for _, name := range slices.Backward(more) {
		other, err := read(name)
		if err != nil {
			return nil, err
		}
		h.reactions = append(h.reactions, other.reactions...)
	}
	return h, nil
}

// read reads a file of hints.
func read(name string) (*Hints, error) {
	text, err := files.ReadFile("steps/" + name + ".md")
	if err != nil {
		return nil, fmt.Errorf("hints to %s: %w", name, err)
	}
	h, err := parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("hints to %s: %w", name, err)
	}
	return h, nil
}

// parse reads the sections of a file.
func parse(text string) (*Hints, error) {
	l, err := lesson.Read(text)
	if err != nil {
		return nil, err
	}
	h := &Hints{}
	var waiting []reaction // headings whose text is yet to come
	for _, s := range l.Sections {
		body := strings.Trim(s.Text, "\n")
		kind, pattern, _ := strings.Cut(s.Heading, " ")
		switch kind {
		case "1", "2", "3":
			h.levels[kind[0]-'1'] = body
			continue
		case "mistake", "kernel", "check":
			waiting = append(waiting, reaction{kind: kind, pattern: pattern})
		default:
			return nil, fmt.Errorf("section %q is for nothing", s.Heading)
		}
		for i := range waiting {
			waiting[i].text = body
		}
		if body != "" {
			h.reactions = append(h.reactions, waiting...)
			waiting = nil
		}
	}
	if len(waiting) > 0 {
		return nil, fmt.Errorf("section %q is empty", waiting[0].pattern)
	}
	return h, nil
}

// Get returns a hint as Markdown. The first one reacts to a failure; nil is none.
func (h *Hints) Get(level int, failed *progress.Failure) (string, error) {
	if level < 1 || level > Levels {
		return "", fmt.Errorf("hint %d: %w", level, ErrLevel)
	}
	if level == 1 && failed != nil {
		if text, found := h.react(failed); found {
			return text, nil
		}
	}
	return h.levels[level-1], nil
}

// react finds the hint to a failure: the named mistake knows more than the
// kernel's words do, and they more than the check's name.
func (h *Hints) react(failed *progress.Failure) (string, bool) {
	for _, kind := range []string{"mistake", "kernel", "check"} {
		for _, r := range h.reactions {
			if r.kind == kind && r.fits(failed) {
				return r.text, true
			}
		}
	}
	return "", false
}

// fits reports whether a reaction is one to this failure.
func (r reaction) fits(failed *progress.Failure) bool {
	switch r.kind {
	case "mistake":
		return failed.Mistake == r.pattern
	case "kernel":
		return holds(failed.Kernel, r.pattern)
	}
	return failed.Check == r.pattern
}

// holds reports whether a text has the parts of a pattern in their order; in the
// pattern … stands for anything.
func holds(text, pattern string) bool {
	rest := strings.ToLower(text)
	for part := range strings.SplitSeq(pattern, "…") {
		_, after, found := strings.Cut(rest, strings.ToLower(strings.TrimSpace(part)))
		if !found {
			return false
		}
		rest = after
	}
	return true
}
