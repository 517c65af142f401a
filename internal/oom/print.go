package oom

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// Printer tells a demonstration to people: on a terminal by a line that
// changes, elsewhere by one line for each step.
type Printer struct {
	Out   io.Writer
	Live  bool // a terminal: the line may be written over
	Width int  // columns
	ASCII bool // no blocks in the bar
	Most  int64
	Paint func(name, text string) string // "bad", "good", "dim"
}

// Begins heads a phase.
func (p *Printer) Begins(phase Phase) {
	title := "Without a limit: the same in a cgroup that has none"
	if phase.Limit > 0 {
		title = "With a limit of " + Bytes(phase.Limit)
	}
	fmt.Fprintf(p.Out, "%s\n  cgroup %s\n", title, phase.Cgroup)
	if phase.Base > 0 {
		fmt.Fprintf(p.Out, "  the program alone, before it takes anything: %s\n", Bytes(phase.Base))
	}
}

// Attaches says that the process moves and what moves with it.
func (p *Printer) Attaches(phase Phase, pid int) {
	p.clear()
	fmt.Fprintf(p.Out, "  attached: echo %d > %s/cgroup.procs\n", pid, phase.Cgroup)
	fmt.Fprintf(p.Out, "  what it has taken so far, %s, stays charged to the cgroup it came from\n",
		Bytes(phase.Last().Taken))
}

// Took tells one step.
func (p *Printer) Took(phase Phase, s Sample) {
	most := phase.Limit
	if most == 0 {
		most = p.Most
	}
	line := fmt.Sprintf("%6.2fs  took %s  usage %s", float64(s.Milliseconds)/1000,
		short(s.Taken), short(s.Usage))
	rest := strings.Join(p.details(phase, s, p.Width-utf8.RuneCountInString(line)-1), "")
	room := p.Width - utf8.RuneCountInString(line+rest) - 3
	if room >= 8 {
		line += "  " + p.bar(min(room, 40), s.Usage, most)
	}
	line += rest
	if p.Live {
		fmt.Fprintf(p.Out, "\r%s\x1b[K", line)
		return
	}
	fmt.Fprintln(p.Out, line)
}

// details are what else is told of a step. On a terminal the last of them are left
// out where there is no room: a line that wraps cannot be written over.
func (p *Printer) details(phase Phase, s Sample, room int) []string {
	var list []string
	if s.Swap > 0 {
		list = append(list, "  swap "+short(s.Swap))
	}
	if s.Old > 0 {
		list = append(list, "  before "+short(s.Old))
	}
	if phase.Limit > 0 {
		list = append(list, fmt.Sprintf("  limit hit %d%s", s.Hits, p.times()))
	}
	list = append(list, "  PSS "+short(s.PSS))
	for p.Live && len(list) > 0 && utf8.RuneCountInString(strings.Join(list, "")) > room {
		list = list[:len(list)-1]
	}
	return list
}

// short is a number of bytes in a column.
func short(n int64) string { return fmt.Sprintf("%5.1fM", float64(n)/(1<<20)) }

// times is the sign for how often.
func (p *Printer) times() string {
	if p.ASCII {
		return "x"
	}
	return "×"
}

// bar draws usage against the most that there may be.
func (p *Printer) bar(width int, usage, most int64) string {
	full, empty := "█", "░"
	if p.ASCII {
		full, empty = "#", "."
	}
	n := int(min(int64(width), (usage*int64(width)+most/2)/max(most, 1)))
	color := "good"
	if most > 0 && usage*10 >= most*9 {
		color = "bad"
	}
	return p.Paint(color, strings.Repeat(full, n)) + p.Paint("dim", strings.Repeat(empty, width-n))
}

// clear ends the line that changes.
func (p *Printer) clear() {
	if p.Live {
		fmt.Fprintln(p.Out)
	}
}

// Ended tells how a phase ended.
func (p *Printer) Ended(phase Phase) {
	p.clear()
	switch {
	case phase.Kill != nil:
		p.killed(phase)
	case phase.Limit > 0:
		fmt.Fprintf(p.Out, "  it was not killed: exit status %d\n\n", phase.Status)
	default:
		fmt.Fprintf(p.Out, "  it has what it wanted, %s, and ended by itself: exit status %d\n\n",
			Bytes(phase.Last().Taken), phase.Status)
	}
}

// killed tells an OOM kill in the kernel's words.
func (p *Printer) killed(phase Phase) {
	k, last := phase.Kill, phase.Last()
	when := time.Duration(k.Milliseconds) * time.Millisecond
	fmt.Fprintf(p.Out, "  %s after %s, in the step after %s\n",
		p.Paint("bad", "killed by the OOM killer"), when.Round(10*time.Millisecond),
		Bytes(last.Taken))
	p.fact("usage", "%s after the last whole step", Bytes(last.Usage))
	if phase.Peak > 0 {
		p.fact("most", "%s of %s", Bytes(phase.Peak), Bytes(phase.Limit))
	}
	if phase.Attached > 0 {
		p.wrapped("before", fmt.Sprintf("%s are charged to the old cgroup; the process had %s "+
			"in all", Bytes(last.Old), Bytes(last.Old+last.Usage)))
	}
	p.fact("counted", "oom_kill %d, the limit was hit %d times", k.OOMKills, k.Hits)
	p.fact("event", "%s", k.Event)
	p.wrapped("status", fmt.Sprintf("%d = 128 + 9: ended by signal 9, SIGKILL, which no "+
		"program can catch; who sent it the status does not say, the counter does", phase.Status))
	if k.Log != "" {
		p.wrapped("log", k.Log)
	} else {
		p.fact("log", "%s", k.LogHidden)
	}
	fmt.Fprintln(p.Out)
}

// fact prints a line with a name.
func (p *Printer) fact(name, format string, args ...any) {
	fmt.Fprintf(p.Out, "    %-8s %s\n", name, fmt.Sprintf(format, args...))
}

// wrapped prints a long text on as many lines as it needs.
func (p *Printer) wrapped(name, text string) {
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+len(word) > p.Width-15 {
			p.fact(name, "%s", line)
			name, line = "", ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	p.fact(name, "%s", line)
}

// Finish prints the verdict.
func (p *Printer) Finish(r Result) {
	fmt.Fprintf(p.Out, "swap: %s\n", r.Swap)
	color := "good"
	if !r.AsTold {
		color = "bad"
	}
	fmt.Fprintf(p.Out, "verdict: %s\n", p.Paint(color, r.Verdict))
}
