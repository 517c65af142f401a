// Package screen knows what a command prints on: how wide it is, whether it
// shows colours, and whether its locale has more signs than ASCII. Colour only
// repeats what signs and words say. A command that prints to a pipe gets 80
// columns and no colour:
//
//	s := screen.Of(cmd.OutOrStdout())
//	fmt.Fprintln(s, s.Sign("→", "->"), s.Bold("own"))
package screen

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/fatih/color"
	"golang.org/x/term"
)

// plainWidth is the width of what is no terminal.
const plainWidth = 80

// Screen is a place to print on. What it prints is written to its Writer.
type Screen struct {
	io.Writer
	Width    int  // columns
	Height   int  // lines; 0 where there is no end, as in a file
	Color    bool // escape sequences are understood and wanted
	UTF8     bool // signs beyond ASCII can be shown
	Terminal bool
}

// Of measures what a writer writes to.
func Of(w io.Writer) Screen {
	s := Screen{Writer: w, Width: plainWidth, UTF8: hasUTF8(os.Getenv)}
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return s
	}
	s.Terminal = true
	s.Color = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	if columns, lines, err := term.GetSize(int(file.Fd())); err == nil && columns > 0 {
		s.Width, s.Height = columns, lines
	}
	return s
}

// hasUTF8 reports whether the locale's characters are UTF-8: the first of these
// variables that is set decides, as in locale(7).
//
//	LANG=en_GB.UTF-8
func hasUTF8(getenv func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if value := strings.ToLower(getenv(name)); value != "" {
			return strings.Contains(value, "utf-8") || strings.Contains(value, "utf8")
		}
	}
	return false
}

// To returns the same screen with another writer.
func (s Screen) To(w io.Writer) Screen {
	s.Writer = w
	return s
}

// Sign returns a sign, or what stands for it in ASCII.
func (s Screen) Sign(sign, ascii string) string {
	if s.UTF8 {
		return sign
	}
	return ascii
}

// paint puts a text into colours, where there are any.
func (s Screen) paint(text string, attributes ...color.Attribute) string {
	if !s.Color || text == "" {
		return text
	}
	c := color.New(attributes...)
	c.EnableColor() // the package looks at standard output, which this need not be
	return c.Sprint(text)
}

// Bold makes a text stand out.
func (s Screen) Bold(text string) string { return s.paint(text, color.Bold) }

// Faint makes a text stand back.
func (s Screen) Faint(text string) string { return s.paint(text, color.Faint) }

// Own paints what belongs to one container alone.
func (s Screen) Own(text string) string { return s.paint(text, color.FgGreen) }

// Alarm paints what deserves attention.
func (s Screen) Alarm(text string) string { return s.paint(text, color.FgRed) }

// Tint paints a text in the n-th of some colours that can be told apart.
func (s Screen) Tint(n int, text string) string {
	tints := []color.Attribute{
		color.FgCyan, color.FgYellow, color.FgMagenta, color.FgGreen, color.FgBlue, color.FgRed,
	}
	return s.paint(text, tints[n%len(tints)], color.Bold)
}

// Clean makes a name from elsewhere safe to print: a process may put escape
// sequences into its name, and they must not reach the terminal.
func (s Screen) Clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case r == utf8.RuneError || !unicode.IsPrint(r) || r > unicode.MaxASCII && !s.UTF8:
			return '?'
		default:
			return r
		}
	}, text)
}

// Cut shortens a text to a width; that something is missing is shown.
func (s Screen) Cut(text string, width int) string {
	if Width(text) <= width {
		return text
	}
	more := s.Sign("…", "...")
	keep := width - Width(more)
	if keep < 1 {
		return more[:min(len(more), max(width, 0))]
	}
	return string([]rune(text)[:keep]) + more
}

// Paragraph prints a text in as many lines as it takes.
func (s Screen) Paragraph(text string) {
	for _, line := range Wrap(text, s.Width) {
		fmt.Fprintln(s, line)
	}
}

// Width returns how many columns a text takes. Escape sequences take none:
//
//	\x1b[32mown\x1b[0m
func Width(text string) int {
	columns, inside := 0, false
	for _, r := range text {
		switch {
		case r == '\x1b':
			inside = true
		case inside:
			inside = r != 'm'
		default:
			columns++
		}
	}
	return columns
}

// Wrap breaks a text at its spaces into lines of at most a width. A word that is
// wider stays whole.
func Wrap(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == "":
			line = word
		case Width(line)+1+Width(word) > width:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	if line != "" || len(lines) == 0 {
		lines = append(lines, line)
	}
	return lines
}

// Break breaks a path after its slashes into lines of at most a width, and a name
// that is wider where it must be.
func Break(path string, width int) []string {
	var lines []string
	line := ""
	for name := range strings.SplitAfterSeq(path, "/") {
		if line != "" && Width(line)+Width(name) > width && Width(name) <= width {
			lines = append(lines, line)
			line = ""
		}
		line += name
		for Width(line) > width {
			runes := []rune(line)
			lines = append(lines, string(runes[:width]))
			line = string(runes[width:])
		}
	}
	return append(lines, line)
}
