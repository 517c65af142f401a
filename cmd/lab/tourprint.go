//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/fatih/color"
	"golang.org/x/term"

	"lab/internal/course"
	"lab/internal/journal"
	"lab/internal/need"
	"lab/internal/tour"
)

// tourPrinter puts the tour on a screen of at least 80 columns.
type tourPrinter struct {
	out   io.Writer
	width int
}

// newTourPrinter measures the terminal.
func newTourPrinter(out io.Writer) *tourPrinter {
	width := 80
	if columns, _, err := term.GetSize(int(os.Stdout.Fd())); err == nil && columns > 80 {
		width = min(columns, 120)
	}
	return &tourPrinter{out, width}
}

// intro says what will happen and what will be left of it.
func (p *tourPrinter) intro(count int, facts need.Facts) {
	steps := "1 step"
	if count > 1 {
		steps = fmt.Sprintf("%d steps", count)
	}
	fmt.Fprintf(p.out, "The tour runs %s, each a container for a moment, as %s.\n",
		steps, who(facts))
	fmt.Fprintf(p.out, "It leaves nothing behind; at the end the host is compared with before.\n")
}

// who tells the account in the tour's words.
func who(facts need.Facts) string {
	if facts.Root {
		return "root"
	}
	return fmt.Sprintf("uid %d in user namespaces", facts.UID)
}

// scene prints one step.
func (p *tourPrinter) scene(step course.Step, scene tour.Scene) {
	p.title(step)
	p.command(scene.Command)
	p.row("", "host", "container")
	for _, v := range scene.Values {
		p.value(v)
	}
	if scene.Note != "" {
		fmt.Fprintf(p.out, "  note: %s\n", scene.Note)
	}
	if scene.Error != "" {
		fmt.Fprintf(p.out, "  %s\n", color.RedString("FAIL: "+scene.Error))
	}
}

// value prints one value and below it the command that prints it, too.
func (p *tourPrinter) value(v tour.Value) {
	p.row(v.What, v.Host, v.Container)
	if v.Fault != "" {
		fmt.Fprintf(p.out, "  %-22s %s\n", "", color.RedString("FAIL: "+v.Fault))
	}
	// Whole, so that it can be pasted, however long it is.
	fmt.Fprintf(p.out, "    %s\n", color.New(color.Faint).Sprint("# "+v.Source))
}

// title prints a step's heading.
func (p *tourPrinter) title(step course.Step) {
	fmt.Fprintf(p.out, "\n%s  %s\n", color.New(color.Bold).Sprint(step.ID), step.Title)
}

// row prints a value of the host beside the container's.
func (p *tourPrinter) row(what, host, container string) {
	column := (p.width - 27) / 2
	fmt.Fprintf(p.out, "  %-22s %-*s  %s\n",
		p.cut(what, 22), column, p.cut(host, column), p.cut(container, column))
}

// cut shortens a text to a number of columns.
func (p *tourPrinter) cut(text string, columns int) string {
	if runes := []rune(text); len(runes) > columns {
		return string(runes[:columns-3]) + "..."
	}
	return text
}

// command prints what was run, in lines that a shell takes as one.
func (p *tourPrinter) command(words []string) {
	if len(words) == 0 {
		return
	}
	line := "  $ " + filepath.Base(words[0])
	for _, word := range words[1:] {
		if len(line)+1+len(word) > p.width-2 {
			fmt.Fprintf(p.out, "%s \\\n", line)
			line = "   "
		}
		line += " " + word
	}
	fmt.Fprintln(p.out, line)
}

// skip prints a step that this machine cannot show.
func (p *tourPrinter) skip(step course.Step, reason string) {
	p.title(step)
	fmt.Fprintf(p.out, "  SKIP: %s\n", reason)
}

// holding says how to look at a container from another terminal.
func (p *tourPrinter) holding(scene tour.Scene) {
	fmt.Fprintf(p.out, "\nThe container's process is %d on this host. In another terminal:\n",
		scene.PID)
	for _, v := range scene.Values {
		fmt.Fprintf(p.out, "  %s\n", v.Source)
	}
	fmt.Fprint(p.out, "Enter ends it. ")
}

// shared prints what no namespace separates, as read in the last container.
func (p *tourPrinter) shared(scenes []tour.Scene) {
	if len(scenes) == 0 {
		return
	}
	last := scenes[len(scenes)-1]
	if last.PID == 0 {
		return // no container came up
	}
	fmt.Fprintf(p.out, "\n%s\n", color.New(color.Bold).Sprint("still shared"))
	for _, v := range last.Shared {
		p.value(v)
	}
	fmt.Fprintf(p.out, "\nThe container of %s was up %d ms after its program's start.\n",
		last.Step, last.Start.Milliseconds())
}

// last prints the verdict.
func (p *tourPrinter) last(t *tourGuide, left []string, compared []journal.Kind) {
	counts := fmt.Sprintf("%d shown, %d skipped", t.shown, t.skipped)
	if t.failed > 0 {
		counts += fmt.Sprintf(", %d failed", t.failed)
	}
	if len(left) > 0 {
		fmt.Fprintf(p.out, "\n%s, host changed: %s\n", counts, strings.Join(left, "; "))
		return
	}
	var kinds []string
	for _, k := range compared {
		kinds = append(kinds, string(k))
	}
	fmt.Fprintf(p.out, "\n%s, host unchanged: %s compared\n", counts, strings.Join(kinds, ", "))
}
