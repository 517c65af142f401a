package render

import (
	"slices"
	"strings"

	extast "github.com/yuin/goldmark/extension/ast"

	"lab/internal/screen"
)

// table prints columns side by side. One that is too wide for the screen gives
// each row a paragraph, in which the head says what is what.
func (r *renderer) table(n *extast.Table, indent string) {
	var rows [][][]word // row, cell, words
	for row := n.FirstChild(); row != nil; row = row.NextSibling() {
		var cells [][]word
		for cell := row.FirstChild(); cell != nil; cell = cell.NextSibling() {
			cells = append(cells, r.words(cell, style{bold: row == n.FirstChild()}))
		}
		rows = append(rows, cells)
	}
	widths := columnWidths(rows)
	total := len(indent)
	for _, w := range widths {
		total += w + 2
	}
	if total-2 <= r.width {
		r.columns(rows, widths, n.Alignments, indent)
		return
	}
	for i, row := range rows[1:] {
		if i > 0 {
			r.line("")
		}
		for c, cell := range row {
			if len(cell) > 0 {
				r.wrap(append(label(rows[0][c]), cell...), indent, indent+"  ")
			}
		}
	}
}

// label is a column's head as it stands before a cell.
func label(head []word) []word {
	if len(head) == 0 {
		return nil
	}
	words := slices.Clone(head)
	words[len(words)-1] = append(slices.Clone(words[len(words)-1]), piece{text: ":"})
	return words
}

// columns prints the rows, and a line below the head.
func (r *renderer) columns(rows [][][]word, widths []int, sides []extast.Alignment, indent string) {
	for i, row := range rows {
		var line strings.Builder
		for c, cell := range row {
			line.WriteString(r.cell(cell, widths[c], sides[c] == extast.AlignRight) + "  ")
		}
		r.line(indent + strings.TrimRight(line.String(), " "))
		if i > 0 {
			continue
		}
		var rules []string
		for _, w := range widths {
			rules = append(rules, strings.Repeat("-", w))
		}
		r.line(indent + strings.Join(rules, "  "))
	}
}

// cell fills a cell with blanks, on the left if it is one of numbers.
func (r *renderer) cell(words []word, wide int, right bool) string {
	var shown []string
	for _, w := range words {
		shown = append(shown, r.word(w))
	}
	text, blanks := strings.Join(shown, " "), strings.Repeat(" ", wide-screen.Width(plain(words)))
	if right {
		return blanks + text
	}
	return text + blanks
}

// columnWidths returns how wide each column has to be.
func columnWidths(rows [][][]word) []int {
	var widths []int
	for _, row := range rows {
		for c, cell := range row {
			if c == len(widths) {
				widths = append(widths, 0)
			}
			widths[c] = max(widths[c], screen.Width(plain(cell)))
		}
	}
	return widths
}
