package render

import (
	"strings"

	"github.com/fatih/color"
	"github.com/yuin/goldmark/ast"

	"lab/internal/screen"
)

// style is how a piece of text looks.
type style struct {
	bold  bool
	color color.Attribute // 0 is the terminal's own
}

// piece is a text of one style.
type piece struct {
	text string
	style
}

// word is pieces without a blank between them; a paragraph may be broken after it.
type word []piece

// lineEnd is a word that ends a line, wherever that is.
const lineEnd = "\n"

// width returns how many columns a word takes.
func (w word) width() int {
	n := 0
	for _, p := range w {
		n += screen.Width(p.text)
	}
	return n
}

// plain returns the text of words without their styles.
func plain(words []word) string {
	var texts []string
	for _, w := range words {
		var b strings.Builder
		for _, p := range w {
			b.WriteString(p.text)
		}
		texts = append(texts, b.String())
	}
	return strings.Join(texts, " ")
}

// words returns the words of a block's inline nodes.
func (r *renderer) words(block ast.Node, s style) []word {
	var words []word
	var open word // what the next piece is appended to
	for _, p := range r.pieces(block, s) {
		if p.text == lineEnd {
			words = append(words, open, word{p})
			open = nil
			continue
		}
		for i, text := range strings.Split(p.text, " ") {
			if i > 0 && len(open) > 0 {
				words = append(words, open)
				open = nil
			}
			if text != "" {
				open = append(open, piece{text, p.style})
			}
		}
	}
	if len(open) > 0 {
		words = append(words, open)
	}
	return words
}

// pieces returns what the children of a node say, in order.
func (r *renderer) pieces(parent ast.Node, s style) []piece {
	var all []piece
	for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
		all = append(all, r.inline(n, s)...)
	}
	return all
}

// inline returns what one inline node says.
func (r *renderer) inline(n ast.Node, s style) []piece {
	switch n := n.(type) {
	case *ast.Text:
		all := []piece{{string(n.Segment.Value(r.source)), s}}
		switch {
		case n.HardLineBreak():
			all = append(all, piece{lineEnd, s})
		case n.SoftLineBreak():
			all = append(all, piece{" ", s})
		}
		return all
	case *ast.String:
		return []piece{{string(n.Value), s}}
	case *ast.CodeSpan:
		if r.options.Screen.Color {
			return r.pieces(n, style{s.bold, color.FgMagenta})
		}
		return r.between("`", n, s)
	case *ast.Emphasis:
		if r.options.Screen.Color {
			return r.pieces(n, style{true, s.color})
		}
		return r.between("*", n, s)
	case *ast.Link:
		return r.link(r.pieces(n, s), string(n.Destination), s)
	case *ast.Image:
		return r.link(r.pieces(n, s), string(n.Destination), s)
	case *ast.AutoLink:
		return []piece{{string(n.URL(r.source)), s}}
	case *ast.RawHTML:
		var text strings.Builder
		for i := range n.Segments.Len() {
			segment := n.Segments.At(i)
			text.Write(segment.Value(r.source))
		}
		return []piece{{text.String(), s}}
	}
	return r.pieces(n, s)
}

// between puts a sign before and after a node's text.
func (r *renderer) between(sign string, n ast.Node, s style) []piece {
	all := append([]piece{{sign, s}}, r.pieces(n, s)...)
	return append(all, piece{sign, s})
}

// link adds where a link leads to its text, if the text does not say that.
func (r *renderer) link(shown []piece, destination string, s style) []piece {
	where := r.address(destination)
	for _, p := range shown {
		if p.text == where {
			where = ""
		}
	}
	if where == "" {
		return shown
	}
	return append(shown, piece{" (", s}, piece{where, s}, piece{")", s})
}

// wrap prints words in lines that fit. The first line begins in its own way.
func (r *renderer) wrap(words []word, first, indent string) {
	line, column := strings.Builder{}, 0
	line.WriteString(first)
	flush := func() {
		r.line(line.String())
		line.Reset()
		line.WriteString(indent)
		column = 0
	}
	for _, w := range words {
		if len(w) == 1 && w[0].text == lineEnd {
			flush()
			continue
		}
		if column > 0 && len(indent)+column+1+w.width() > r.width {
			flush()
		}
		if column > 0 {
			line.WriteString(" ")
			column++
		}
		line.WriteString(r.word(w))
		column += w.width()
	}
	if column > 0 {
		flush()
	}
}

// word returns a word as the terminal shows it.
func (r *renderer) word(w word) string {
	var b strings.Builder
	for _, p := range w {
		b.WriteString(r.paint(p.text, p.style))
	}
	return b.String()
}

// paint gives a text its style.
func (r *renderer) paint(text string, s style) string {
	if !r.options.Screen.Color || s == (style{}) || text == "" {
		return text
	}
	var attributes []color.Attribute
	if s.bold {
		attributes = append(attributes, color.Bold)
	}
	if s.color != 0 {
		attributes = append(attributes, s.color)
	}
	c := color.New(attributes...)
	c.EnableColor()
	return c.Sprint(text)
}
