package screen

import (
	"fmt"
	"strings"
)

// Table prints rows in columns. One of them, Flex, gives way where the screen
// is too narrow: its text is cut, or broken into lines with Wrap. A cell with line
// ends takes several lines. Cells may be painted, but those of a column that gives
// way only whole and before Add.
type Table struct {
	Screen Screen
	Indent int
	Flex   int  // the column that gives way
	Wrap   bool // instead of cutting
	Right  map[int]bool
	Least  []int // widths that columns have even if their cells need less
	rows   [][]string
}

// Add adds a row.
func (t *Table) Add(cells ...string) { t.rows = append(t.rows, cells) }

// Len returns the number of rows.
func (t *Table) Len() int { return len(t.rows) }

// Print prints all rows.
func (t *Table) Print() {
	widths := t.widths()
	for _, row := range t.rows {
		for _, cells := range t.broken(row, widths) {
			t.line(cells, widths)
		}
	}
}

// gap is the space between two columns.
const gap = 2

// widths returns the width of each column; the one that gives way gets what is
// left, but never less than it can do with.
func (t *Table) widths() []int {
	widths := append([]int(nil), t.Least...)
	for _, row := range t.rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			for line := range strings.SplitSeq(cell, "\n") {
				widths[i] = max(widths[i], Width(line))
			}
		}
	}
	if t.Flex >= len(widths) {
		return widths
	}
	left := t.Screen.Width - t.Indent - gap*(len(widths)-1)
	for i, width := range widths {
		if i != t.Flex {
			left -= width
		}
	}
	const least = 12
	widths[t.Flex] = min(widths[t.Flex], max(left, least))
	return widths
}

// broken returns a row as the lines that it takes.
func (t *Table) broken(row []string, widths []int) [][]string {
	var lines [][]string
	for i, cell := range row {
		parts := strings.Split(cell, "\n")
		if i == t.Flex {
			parts = t.fit(cell, widths[i])
		}
		for n, part := range parts {
			if n == len(lines) {
				lines = append(lines, make([]string, len(row)))
			}
			lines[n][i] = part
		}
	}
	return lines
}

// fit returns the lines of a cell in the column that gives way. On a terminal none
// is wider than the column, not even one that is a single word.
func (t *Table) fit(cell string, width int) []string {
	switch {
	case Width(cell) <= width:
		return []string{cell}
	case !t.Wrap:
		return []string{t.Screen.Cut(cell, width)}
	case !t.Screen.Terminal:
		return Wrap(cell, width) // a long path stays whole for who reads it from a file
	}
	var lines []string
	for _, line := range Wrap(cell, width) {
		lines = append(lines, Break(line, width)...)
	}
	return lines
}

// line prints one line of cells, without spaces at its end.
func (t *Table) line(cells []string, widths []int) {
	var b strings.Builder
	b.WriteString(strings.Repeat(" ", t.Indent))
	for i, cell := range cells {
		fill := strings.Repeat(" ", max(0, widths[i]-Width(cell)))
		if t.Right[i] {
			b.WriteString(fill + cell)
		} else {
			b.WriteString(cell + fill)
		}
		b.WriteString(strings.Repeat(" ", gap))
	}
	fmt.Fprintln(t.Screen, strings.TrimRight(b.String(), " "))
}
