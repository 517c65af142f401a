//go:build linux

package trace

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/fatih/color"
	"golang.org/x/sys/unix"
)

// page prints calls under a line that names their process, wrapped to a width:
//
//	[4712, in there 1] sh
//	  mount("proc", "/proc", "proc", MS_NOSUID|MS_NODEV|MS_NOEXEC, NULL) = 0
//	      mounts a view of its pid namespace's processes (proc) on /proc
//	      $ mount -t proc -o nosuid,nodev,noexec proc /proc
type page struct {
	out   io.Writer
	width int
	last  string // the line above the calls that were printed last
	// searching is the thread whose last call was an execve(2) of no file.
	searching int

	title, failed, words, shell *color.Color
}

// newPage makes a page of a width, coloured or not.
func newPage(out io.Writer, width int, colour bool) *page {
	p := &page{
		out: out, width: max(width, 40), title: color.New(color.Bold),
		failed: color.New(color.FgRed), words: color.New(color.FgCyan),
		shell: color.New(color.FgGreen),
	}
	for _, c := range []*color.Color{p.title, p.failed, p.words, p.shell} {
		if colour {
			c.EnableColor()
		} else {
			c.DisableColor()
		}
	}
	return p
}

// Columns of the lines below a title: the calls, what a long one goes on with,
// and the words.
const atCalls, atRest, atWords = 2, 10, 6

// call prints one call with its words.
func (p *page) call(tk *task, c *Call) {
	p.under(tk.proc)
	if p.searches(tk, c) {
		return
	}
	lines := wrap(c.short(), p.width-atCalls, p.width-atRest, ", ", "|")
	for i, line := range lines {
		indent := pick(i == 0, atCalls, atRest)
		if c.Failed() {
			line = p.failed.Sprint(line)
		}
		fmt.Fprintf(p.out, "%*s%s\n", indent, "", line)
	}
	phrase, shell := c.Words(tk.proc)
	p.below(p.words, phrase)
	if shell != "" && !c.Failed() {
		p.below(p.shell, "$ "+shell)
	}
}

// searches prints a failed execve(2) on the way along PATH, without the arguments
// that are the same each time, and reports whether the call was one.
func (p *page) searches(tk *task, c *Call) bool {
	if c.Name != "execve" || c.errno != unix.ENOENT {
		p.searching = 0
		return false
	}
	line := fmt.Sprintf("%*sexecve(%s, ...) = -1 %s", atCalls, "", c.arg(0).text,
		errorName(c.errno))
	fmt.Fprintln(p.out, p.failed.Sprint(line))
	if p.searching != tk.tid {
		p.below(p.words, "is not there; execvp(3) goes on to the next directory of PATH")
	}
	p.searching = tk.tid
	return true
}

// below prints words below a call.
func (p *page) below(c *color.Color, text string) {
	if text == "" {
		return
	}
	for _, line := range wrap(text, p.width-atWords, p.width-atWords, " ") {
		fmt.Fprintf(p.out, "%*s%s\n", atWords, "", c.Sprint(line))
	}
}

// under prints the line of a process unless it is the last one printed.
func (p *page) under(proc *process) {
	title := fmt.Sprintf("[%d] ", proc.pid)
	if inner := proc.inner(); inner != 0 {
		title = fmt.Sprintf("[%d, in there %d] ", proc.pid, inner)
	}
	title += printable(proc.name)
	if title != p.last {
		fmt.Fprintln(p.out, p.title.Sprint(title))
	}
	p.last = title
}

// end prints how a process ended.
func (p *page) end(proc *process, status unix.WaitStatus) {
	p.under(proc)
	text := "ends: " + ending(status)
	if status.Signaled() || status.ExitStatus() != 0 {
		text = p.failed.Sprint(text)
	}
	fmt.Fprintf(p.out, "%*s%s\n", atCalls, "", text)
}

// summary prints what the trace was and what it cost.
//
//	trace: 9 of 412 calls shown, 3 processes; took 14 ms, 830 stops of 6 us each
func (p *page) summary(s Summary) {
	plural := pick(s.Processes == 1, "", "es")
	text := fmt.Sprintf("trace: %d of %d calls shown, %d process%s; took %.0f ms, "+
		"%d stops of %.0f us each", s.Shown, s.Calls, s.Processes, plural,
		s.Took.Seconds()*1e3, s.Stops, s.perStop().Seconds()*1e6)
	for _, line := range wrap(text, p.width, p.width, " ") {
		fmt.Fprintln(p.out, line)
	}
}

// short returns a call with what is too long to read left out.
func (c *Call) short() string {
	texts := c.Args()
	for i, a := range c.decoded {
		if a.brief != "" {
			texts[i] = a.brief
		}
	}
	return c.Name + "(" + strings.Join(texts, ", ") + ") = " + c.Result()
}

// wrap breaks a line where one of the separators ends, or else at a space, or else
// anywhere: the first line after first columns at most, the others after rest.
func wrap(text string, first, rest int, separators ...string) []string {
	var lines []string
	width := first
	for utf8.RuneCountInString(text) > width {
		end := lastBreak(text, width, separators)
		if end == 0 {
			end = lastBreak(text, width, []string{" "})
		}
		if end == 0 {
			end = len(string([]rune(text)[:width]))
		}
		lines = append(lines, strings.TrimRight(text[:end], " "))
		text, width = strings.TrimLeft(text[end:], " "), rest
	}
	return append(lines, text)
}

// lastBreak returns the end of the last separator that ends within a width, or 0.
// A space at its end may hang over.
func lastBreak(text string, width int, separators []string) int {
	end, columns := 0, 0
	for i := range text {
		columns++ // a rune is a column: there are no wide ones but in names
		for _, s := range separators {
			last := columns - 1 + utf8.RuneCountInString(strings.TrimRight(s, " "))
			if last <= width && strings.HasPrefix(text[i:], s) {
				end = max(end, i+len(s))
			}
		}
		if columns > width {
			break
		}
	}
	return end
}
