//go:build linux

package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"lab/internal/corpus"
	"lab/internal/course"
	"lab/internal/hint"
	"lab/internal/screen"
)

// part is the flag --part K/N; nothing stands for all entries.
type part struct{ number, parts int }

// flag gives a command the flag.
func (p *part) flag(cmd *cobra.Command) {
	cmd.Flags().Var(p, "part", "one of N parts; each has some of every step and kind")
}

// String returns the flag's value.
func (p *part) String() string {
	if p.parts == 0 {
		return ""
	}
	return fmt.Sprintf("%d/%d", p.number, p.parts)
}

// Type is what the help calls the value.
func (*part) Type() string { return "K/N" }

// Set reads the flag's value.
func (p *part) Set(text string) error {
	var rest string
	n, _ := fmt.Sscanf(text+" .", "%d/%d %s", &p.number, &p.parts, &rest) // n tells
	if n != 3 || rest != "." || p.number < 1 || p.number > p.parts {
		return fmt.Errorf("%q is no part such as 2/5", text)
	}
	return nil
}

// choose deals the entries out one by one, so that each part gets some of every
// step and kind, and returns one part.
func (p *part) choose(entries []corpus.Entry) []corpus.Entry {
	if p.parts == 0 {
		return entries
	}
	var some []corpus.Entry
	for i := p.number - 1; i < len(entries); i += p.parts {
		some = append(some, entries[i])
	}
	return some
}

// devCount counts what is judged while it is told.
type devCount struct {
	mu         sync.Mutex
	out        screen.Screen
	right, all map[string]int // by kind
	lacking    int
	heard, of  int
}

// newDevCount begins to count a number of entries.
func newDevCount(of int, out screen.Screen) *devCount {
	return &devCount{out: out, of: of, right: map[string]int{}, all: map[string]int{}}
}

// check judges all entries, tells how each was judged, and counts.
func (s *devSet) check(ctx context.Context, share part, out screen.Screen) error {
	count := newDevCount(len(s.entries), out)
	err := s.each(ctx, func(ctx context.Context, e corpus.Entry) error {
		began := time.Now()
		slow := time.AfterFunc(time.Minute, func() { count.slow(e) })
		defer slow.Stop()
		o, missing, err := s.judge(ctx, e)
		if err == nil {
			count.tell(o, missing, time.Since(began))
		}
		return err
	})
	if err != nil {
		return err
	}
	line, err := count.summary(share)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, line)
	if count.wrong() > 0 {
		return exited(1)
	}
	return nil
}

// slow says which entry keeps us waiting: if nothing comes after it, it is stuck.
func (c *devCount) slow(e corpus.Entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintf(c.out, "       still judged after a minute: %s\n", e.ID())
}

// tell prints a line about an outcome, or more if it is wrong.
//
//	ok    17/247   4.2 s  mistakes/03-mount/no-proc
func (c *devCount) tell(o corpus.Outcome, missing string, took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heard++
	sign, more := "ok  ", ""
	switch kind := o.Entry.Kind; {
	case missing != "":
		sign, more = "SKIP", ": "+missing
		c.lacking++
	case o.Wrong == "":
		c.right[kind]++
		c.all[kind]++
	default:
		sign, more = c.out.Alarm("FAIL"), ": "+o.Entry.About+"\n"+o.Wrong
		c.all[kind]++
	}
	fmt.Fprintf(c.out, "%s %3d/%d %5.1f s  %s%s\n",
		sign, c.heard, c.of, took.Seconds(), o.Entry.ID(), more)
}

// entryKinds are the kinds of entries and how they are counted.
func entryKinds() []struct{ name, text string } {
	return []struct{ name, text string }{
		{"references", "references %d/%d"},
		{corpus.Skeletons, "skeletons %d/%d fail as intended"},
		{corpus.Mistakes, "mistakes %d/%d"},
		{corpus.Variants, "correct variants %d/%d"},
		{corpus.Cheats, "cheats %d/%d"},
	}
}

// wrong returns how many were judged wrongly.
func (c *devCount) wrong() (n int) {
	for _, kind := range entryKinds() {
		n += c.all[kind.name] - c.right[kind.name]
	}
	return n
}

// summary is the last line.
func (c *devCount) summary(share part) (string, error) {
	var counts []string
	for _, kind := range entryKinds() {
		counts = append(counts, fmt.Sprintf(kind.text, c.right[kind.name], c.all[kind.name]))
	}
	hints, err := countHints()
	if err != nil {
		return "", err
	}
	counts = append(counts, fmt.Sprintf("hints %d/%d", hints, hint.Levels*len(course.Steps())))
	line := strings.Join(counts, ", ")
	if c.lacking > 0 {
		line += fmt.Sprintf("; %d skipped", c.lacking)
	}
	if share.parts > 0 {
		line += fmt.Sprintf("; part %d of %d", share.number, share.parts)
	}
	return line, nil
}

// countHints counts the hints that say something.
func countHints() (int, error) {
	count := 0
	for _, s := range course.Steps() {
		h, err := hint.Of(s.ID)
		if err != nil {
			return 0, err
		}
		for level := range hint.Levels {
			if text, err := h.Get(level+1, nil); err == nil && text != "" {
				count++
			}
		}
	}
	return count, nil
}
