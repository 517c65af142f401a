//go:build linux

package isolation

import (
	"fmt"
	"path"
	"strings"

	"lab/internal/screen"
)

// Print prints the page. Files of /proc/PID and of the cgroup are named in short.
func (p *Page) Print(to screen.Screen) {
	p.head(to)
	section := ""
	var t *screen.Table
	for _, l := range p.Lines {
		if l.Section != section {
			if t != nil {
				t.Print()
			}
			section = l.Section
			t = &screen.Table{Screen: to, Flex: 2, Wrap: true, Least: []int{8, 12}}
			fmt.Fprintln(to, to.Bold(section))
		}
		t.Add(p.cells(to, l)...)
	}
	if t != nil {
		t.Print()
	}
	p.foot(to)
}

// head says who the process is.
func (p *Page) head(to screen.Screen) {
	w := p.Process
	kind := ""
	switch {
	case w.Kernel:
		kind = ", a thread of the kernel: it runs no program"
	case w.State == 'Z':
		kind = ", a zombie: it has ended"
	}
	text := fmt.Sprintf("Process %d is %s, child of %d%s", w.PID, w.Called(), w.PPid, kind)
	if len(p.Command) > 0 {
		text += ": " + strings.Join(p.Command, " ")
	}
	fmt.Fprintln(to, to.Cut(to.Clean(text), to.Width))
}

// cells puts a line into columns.
func (p *Page) cells(to screen.Screen, l Line) []string {
	verdict := string(l.Verdict)
	switch l.Verdict {
	case Isolated:
		verdict = to.Own(verdict)
	case Unknown:
		verdict = to.Alarm("?")
	case Shared:
	}
	text := l.Meaning
	if l.Value != "" {
		text = l.Value + ": " + text
	}
	return []string{verdict, l.Item, to.Clean(text) + " [" + p.short(to, l.File) + "]"}
}

// short names a file without what the end of the page says once, and a very long
// name by its beginning and its end.
func (p *Page) short(to screen.Screen, file string) string {
	file = strings.TrimPrefix(file, fmt.Sprintf("/proc/%d/", p.Process.PID))
	file = to.Clean(strings.TrimPrefix(file, "/sys/fs/cgroup/"))
	room := to.Width - 26 // what the first two columns and the brackets leave
	first, rest, found := strings.Cut(file, "/")
	if last := path.Base(rest); found && screen.Width(file) > room {
		file = first + "/" + to.Sign("…", "...") + "/" + last
	}
	return file
}

// foot explains the brackets and counts.
func (p *Page) foot(to screen.Screen) {
	count := map[Verdict]int{}
	for _, l := range p.Lines {
		count[l.Verdict]++
	}
	text := fmt.Sprintf("%d shared with you, %d isolated", count[Shared], count[Isolated])
	if count[Unknown] > 0 {
		text += fmt.Sprintf(", %d could not be read", count[Unknown])
	}
	text += fmt.Sprintf(". In brackets: the file, below /proc/%d or /sys/fs/cgroup.",
		p.Process.PID)
	fmt.Fprintln(to)
	to.Paragraph(text)
}

// Document is what --json prints; docs/json.md describes it.
type Document struct {
	PID          int      `json:"pid"`
	PPID         int      `json:"ppid"`
	Name         string   `json:"name"`
	State        string   `json:"state"`
	KernelThread bool     `json:"kernel_thread"`
	Command      []string `json:"command"`
	PIDs         []int    `json:"pids"`
	Lines        []Line   `json:"lines"`
}

// Document returns the page as --json prints it.
func (p *Page) Document() Document {
	return Document{
		PID: p.Process.PID, PPID: p.Process.PPid, Name: p.Process.Name,
		State: string(p.Process.State), KernelThread: p.Process.Kernel,
		Command: append([]string{}, p.Command...), PIDs: p.Levels, Lines: p.Lines,
	}
}
