package main

import (
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// table is rows of cells, the first one the headings.
type table [][]string

// gap is the space between two columns, and narrowGap that where there is little.
const (
	gap       = 3
	narrowGap = 2
)

// usual is how wide a column is at least where there is room.
const usual = 7

// least is how far a cell is cut, the last of its letters being an ellipsis.
const least = 8

// terminalWidth is how many letters fit in a line of a terminal; 0 if it is none.
func terminalWidth(w io.Writer) int {
	file, ok := w.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// text lays a table out. Where there is a width it is made to fit: first the columns to
// spare go, one after the other, and then the widest cells are cut.
func (t table) text(width int, spare []string) string {
	space := gap
	if width > 0 && t.width(space) > width {
		space = narrowGap
		for _, heading := range spare {
			if t.width(space) > width {
				t = t.without(heading)
			}
		}
		t.cut(width, space)
	}
	return t.layOut(space)
}

// layOut puts the cells below each other.
func (t table) layOut(space int) string {
	var b strings.Builder
	columns := t.columns(space)
	for _, row := range t {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(cell)
			line.WriteString(strings.Repeat(" ", columns[i]-utf8.RuneCountInString(cell)+space))
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return b.String()
}

// columns are the widths of the columns. Where there is room a narrow one is made wider,
// since tables that are alike are easier to read.
func (t table) columns(space int) []int {
	columns := make([]int, len(t[0]))
	for i := range columns[:len(columns)-1] {
		columns[i] = usual * (space / gap)
	}
	for _, row := range t {
		for i, cell := range row {
			columns[i] = max(columns[i], utf8.RuneCountInString(cell))
		}
	}
	return columns
}

// width is how many letters the longest line has.
func (t table) width(space int) int {
	sum := -space
	for _, column := range t.columns(space) {
		sum += column + space
	}
	return sum
}

// without leaves a column out.
func (t table) without(heading string) table {
	i := slices.Index(t[0], heading)
	if i < 0 {
		return t
	}
	var left table
	for _, row := range t {
		left = append(left, slices.Delete(slices.Clone(row), i, i+1))
	}
	return left
}

// cut cuts the widest column again and again until the table fits, or cannot be read any
// longer.
func (t table) cut(width, space int) {
	for t.width(space) > width {
		columns := t.columns(space)
		i := slices.Index(columns, slices.Max(columns))
		if columns[i] <= least {
			return
		}
		for _, row := range t {
			row[i] = ellipsis(row[i], columns[i]-1)
		}
	}
}
