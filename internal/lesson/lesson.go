// Package lesson reads the README of a step. A lesson has a title, six sections
// with fixed headings, and in them console blocks: what a learner types and what
// is printed then.
//
//	```console
//	$ lab run 01 hostname
//	container
//	```
//
// A line that begins with `$ ` is a command of any user, one with `# ` a command
// of root; a `\` at its end continues it on the next line. The lines that follow
// are its output, standard output and standard error as a terminal mixes them. In
// them `…` stands for any characters, and a line that is `…` alone for any number
// of lines. The inode numbers of namespaces, as in `uts:[4026531838]`, are those of
// one run: in another they differ from each other, or not, in the same places.
package lesson

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Headings returns the sections that every lesson has, in this order.
func Headings() []string {
	return []string{
		"The problem", "The idea", "The code", "Try it", "What is still missing", "Exercises",
	}
}

// Errors of a text that is no lesson.
var (
	ErrTitle    = errors.New("the first line is not a title")
	ErrHeadings = errors.New("not the six headings in their order")
	ErrFence    = errors.New("a block that does not end")
	ErrConsole  = errors.New("a console block does not begin with a whole command")
)

// Lesson is a README in its parts.
type Lesson struct {
	Title    string
	Sections []Section
}

// Section is what stands below one heading.
type Section struct {
	Heading string
	Text    string // as it is written, blocks included
	Blocks  []Block
}

// Block is one console block: one terminal, from its opening to its end.
type Block struct {
	Line     int // of the first command, counted from 1
	Commands []Command
}

// Command is something to type and what it prints.
type Command struct {
	Line   int
	Root   bool     // only root can do it
	Text   string   // continued lines are still several
	Output []string // with … for what may vary
}

// Blocks returns the console blocks of all sections.
func (l *Lesson) Blocks() []Block {
	var all []Block
	for _, s := range l.Sections {
		all = append(all, s.Blocks...)
	}
	return all
}

// Parse reads a lesson, which has its sections and no others.
func Parse(text string) (*Lesson, error) {
	l, err := Read(text)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, s := range l.Sections {
		found = append(found, s.Heading)
	}
	if !slices.Equal(found, Headings()) {
		return nil, fmt.Errorf("%w: %q", ErrHeadings, found)
	}
	return l, nil
}

// Read reads any text with a title, sections and console blocks.
func Read(text string) (*Lesson, error) {
	p := parser{lesson: &Lesson{}}
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if err := p.line(i+1, strings.TrimRight(line, " \t")); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	if p.fence != "" {
		return nil, fmt.Errorf("line %d: %w", p.opened, ErrFence)
	}
	return p.lesson, nil
}

// parser holds where in the text Parse is.
type parser struct {
	lesson    *Lesson
	fence     string // what opened the block we are in; empty outside
	opened    int    // the number of that line
	indent    string // and the blanks before it, as in a list
	continued bool   // the last line of a command ended with a backslash
}

// section returns the section that is being read; nil before the first.
func (p *parser) section() *Section {
	if n := len(p.lesson.Sections); n > 0 {
		return &p.lesson.Sections[n-1]
	}
	return nil
}

// line takes the next line of the text.
func (p *parser) line(number int, line string) error {
	title, isTitle := strings.CutPrefix(line, "# ")
	heading, isHeading := strings.CutPrefix(line, "## ")
	switch {
	case number == 1 && !isTitle:
		return ErrTitle
	case number == 1:
		p.lesson.Title = title
		return nil
	case isHeading && p.fence == "":
		p.lesson.Sections = append(p.lesson.Sections, Section{Heading: heading})
		return nil
	}
	if s := p.section(); s != nil {
		s.Text += line + "\n"
	}
	if p.fence != "" {
		line = strings.TrimPrefix(line, p.indent)
	}
	text := strings.TrimLeft(line, " ")
	switch {
	case p.fence == "" && strings.HasPrefix(text, "```"):
		p.indent = line[:len(line)-len(text)]
		return p.open(number, text)
	case p.fence != "" && line == "```":
		return p.close()
	case p.fence == "```console":
		return p.console(number, line)
	}
	return nil
}

// open begins a block of any kind.
func (p *parser) open(number int, fence string) error {
	p.fence, p.opened = fence, number
	if fence != "```console" {
		return nil
	}
	if p.section() == nil {
		return ErrHeadings
	}
	p.section().Blocks = append(p.section().Blocks, Block{Line: number + 1})
	return nil
}

// close ends a block.
func (p *parser) close() error {
	console := p.fence == "```console"
	p.fence = ""
	if console && (p.continued || len(p.block().Commands) == 0) {
		return ErrConsole
	}
	return nil
}

// block returns the console block that is being read.
func (p *parser) block() *Block {
	blocks := p.section().Blocks
	return &blocks[len(blocks)-1]
}

// console takes a line of a console block.
func (p *parser) console(number int, line string) error {
	block := p.block()
	if p.continued {
		last := &block.Commands[len(block.Commands)-1]
		last.Text += "\n" + line
		p.continued = strings.HasSuffix(line, `\`)
		return nil
	}
	prompt, command := "", ""
	if len(line) > 2 {
		prompt, command = line[:2], line[2:]
	}
	switch {
	case prompt == "$ " || prompt == "# ":
		block.Commands = append(block.Commands,
			Command{Line: number, Root: prompt == "# ", Text: command})
		p.continued = strings.HasSuffix(command, `\`)
	case len(block.Commands) == 0:
		return ErrConsole
	default:
		last := &block.Commands[len(block.Commands)-1]
		last.Output = append(last.Output, line)
	}
	return nil
}
