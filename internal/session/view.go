//go:build linux

package session

import (
	"fmt"
	"path/filepath"
	"strings"

	"lab/internal/course"
	"lab/internal/screen"
)

// legend are the keys, the most wanted first.
const legend = "n next  h hint  s lesson  l list  c check  r reset  q quit"

// pageLegend are the keys while a text is read.
const pageLegend = "space, b and the arrows: read on   any other key: back"

// view draws the screen: a head, what there is to see, a foot. Each of its lines
// fits, and there are not more than the screen has.
func (m *model) view(s screen.Screen) []string {
	head, body, top := m.head(s), m.body(s), &m.top
	foot := []string{"", s.Faint(s.Cut(m.where, s.Width)), s.Cut(legend, s.Width)}
	if m.page != nil {
		head = []string{s.Bold(s.Cut(m.page.title, s.Width)), ""}
		body, top = m.page.lines(s), &m.page.top
		foot = []string{"", s.Cut(pageLegend, s.Width)}
	}
	if m.note != "" {
		foot[0] = s.Bold(s.Cut(s.Clean(m.note), s.Width))
	}
	room := max(1, s.Height-len(head)-len(foot))
	body = window(s, body, top, room)
	lines := append(head, body...)
	for len(lines) < s.Height-len(foot) {
		lines = append(lines, "")
	}
	lines = append(lines, foot...)
	for i, line := range lines {
		lines[i] = fit(line, s.Width)
	}
	return lines[:min(len(lines), s.Height)]
}

// fit takes away what of a line is beyond the screen. Escape sequences take no
// room, and those that are left end with the line:
//
//	\x1b[1mFAIL\x1b[22m
func fit(line string, width int) string {
	if screen.Width(line) <= width {
		return line
	}
	column, inside := 0, false
	for at, r := range line {
		switch {
		case r == '\x1b':
			inside = true
		case inside:
			inside = r != 'm'
		case column == width:
			if strings.Contains(line[:at], "\x1b") {
				return line[:at] + "\x1b[0m"
			}
			return line[:at]
		default:
			column++
		}
	}
	return line
}

// window returns the part of a text that is to be seen, and says how much there is
// below it.
func window(s screen.Screen, lines []string, top *int, room int) []string {
	*top = max(0, min(*top, len(lines)-room))
	lines = lines[*top:]
	if len(lines) <= room {
		return lines
	}
	more := fmt.Sprintf("%s %d lines more: space", s.Sign("↓", "v"), len(lines)-room+1)
	return append(lines[:room-1:room-1], s.Faint(s.Cut(more, s.Width)))
}

// head says where the learner is.
func (m *model) head(s screen.Screen) []string {
	return []string{
		s.Bold(s.Cut(m.step.ID+": "+m.step.Title, s.Width)),
		s.Cut(m.bar(s), s.Width),
		"",
	}
}

// bar shows the path: what has passed, where one is.
//
//	[###>·····] 3 of 9 steps passed
func (m *model) bar(s screen.Screen) string {
	var b strings.Builder
	n := 0
	for _, step := range course.Steps() {
		switch {
		case m.kept.Passed(step.ID):
			b.WriteString("#")
			n++
		case step.ID == m.step.ID:
			b.WriteString(">")
		default:
			b.WriteString(s.Sign("·", "."))
		}
	}
	return fmt.Sprintf("[%s] %d of %d steps passed", b.String(), n, len(course.Steps()))
}

// body is the last result, or how far the one to come is.
func (m *model) body(s screen.Screen) []string {
	var lines []string
	switch {
	case m.running && len(m.results) == 0:
		lines = []string{"building and checking" + s.Sign("…", "...")}
	case m.running:
		lines = []string{fmt.Sprintf("checking%s %d of %d", s.Sign("…", "..."),
			len(m.results), max(m.total, len(m.results)))}
	case m.build != "":
		lines = []string{s.Alarm("FAIL") + "  it does not build", ""}
		return append(lines, foreign(s, m.build, "")...)
	case m.trouble != "":
		return foreign(s, m.trouble, "")
	case m.end == nil:
		return []string{"waiting for a save"}
	case m.end.OK:
		lines = []string{s.Own("PASS") + fmt.Sprintf("  all of it: %d passed, %d skipped",
			m.end.Passed, m.end.Skipped), "", "n goes on to the next step."}
	default:
		lines = []string{s.Alarm("FAIL") + fmt.Sprintf("  %d passed, %d failed, %d skipped",
			m.end.Passed, m.end.Failed, m.end.Skipped)}
	}
	return append(append(lines, ""), m.checks(s)...)
}

// checks lists what failed, in full, before what passed.
func (m *model) checks(s screen.Screen) []string {
	var lines []string
	for _, r := range m.results {
		if r.Verdict == "fail" {
			lines = append(lines, s.Alarm("FAIL")+"  "+s.Bold(s.Cut(m.named(s, r), s.Width-6)))
			lines = append(lines, explain(s, r.Failure)...)
			lines = append(lines, "")
		}
	}
	ancestors := 0
	for _, r := range m.results {
		switch {
		case r.Verdict == "pass" && r.Step != m.step.ID:
			ancestors++
		case r.Verdict == "pass":
			lines = append(lines, s.Own("PASS")+"  "+s.Cut(m.named(s, r), s.Width-6))
		case r.Verdict == "skip":
			lines = append(lines, s.Cut("SKIP  "+m.named(s, r)+": "+s.Clean(r.Reason), s.Width))
		}
	}
	if ancestors > 0 {
		lines = append(lines, s.Own("PASS")+s.Cut(fmt.Sprintf("  %d checks of the steps before",
			ancestors), s.Width-4))
	}
	return lines
}

// named is a check's name; one of an ancestor says whose it is.
func (m *model) named(s screen.Screen, r event) string {
	if r.Step != "" && r.Step != m.step.ID {
		return s.Clean(r.Step + ": " + r.Name)
	}
	return s.Clean(r.Name)
}

// explain puts a failure into lines, what is wrong before what to type.
func explain(s screen.Screen, f *failure) []string {
	if f == nil {
		return nil
	}
	var lines []string
	for _, part := range []struct {
		name, text string
	}{
		{"expected", f.Expected},
		{"the kernel says", f.Kernel},
		{"diagnosis", f.Diagnosis},
		{"look", f.Look},
		{"run it again", f.Command},
	} {
		if part.text == "" {
			continue
		}
		for i, line := range foreign(s, part.text, strings.Repeat(" ", 23)) {
			if i == 0 {
				line = "      " + s.Faint(part.name) + line[6+len(part.name):]
			}
			lines = append(lines, line)
		}
	}
	return lines
}

// foreign puts a text that somebody else wrote into lines that fit, without what
// would harm the terminal.
func foreign(s screen.Screen, text, indent string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		line = strings.ReplaceAll(line, "\t", "    ")
		for len(line) > 0 {
			line = strings.TrimRight(line, "\r\n")
			piece, rest := cutLine(s.Clean(line), max(10, s.Width-len(indent)))
			lines = append(lines, indent+piece)
			line = rest
		}
	}
	return lines
}

// cutLine takes as much of a line as fits, up to a blank if there is one.
func cutLine(line string, width int) (piece, rest string) {
	runes := []rune(line)
	if len(runes) <= width {
		return line, ""
	}
	at := width
	for i := width; i > width/2; i-- {
		if runes[i] == ' ' {
			return string(runes[:i]), strings.TrimLeft(string(runes[i:]), " ")
		}
	}
	return string(runes[:at]), string(runes[at:])
}

// short makes a path shorter where it is below the home or the working directory.
func short(path, here string) string {
	if below, err := filepath.Rel(here, path); err == nil && !strings.HasPrefix(below, "..") {
		return below
	}
	return path
}
