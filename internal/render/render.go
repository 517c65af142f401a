// Package render shows a Markdown text, such as a lesson, on a terminal: headings,
// paragraphs, lists, tables, blocks of code, links and emphasis.
//
// Without colour the text reads as well: what colour would tell is told by signs,
// as in *emphasis* and `code`. With colour it uses the eight basic colours and
// bold, none of which is invisible on black or on white.
//
// The parser is goldmark's; what it makes of a text is a tree of blocks, whose
// leaves hold inline nodes:
//
//	Document
//	├─ Heading ── Text
//	├─ Paragraph ── Text, CodeSpan, Emphasis, Link
//	├─ List ── ListItem ── TextBlock ── Text
//	└─ FencedCodeBlock
package render

import (
	"fmt"
	"path"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"

	"lab/internal/screen"
)

// measure is the longest line of a paragraph, however wide the screen is: longer
// ones are hard to read, and the lessons' own blocks are not wider either.
const measure = 80

// Options say how a text is to look.
type Options struct {
	Screen screen.Screen // its width, and whether it has colour and more than ASCII
	// Link puts a link's address into words, "" to show its text alone. It is
	// asked for links to other places than the text itself.
	Link func(address string) string
}

// Markdown renders a text.
func Markdown(source string, o Options) string {
	parser := goldmark.New(goldmark.WithExtensions(extension.Table)).Parser()
	r := &renderer{
		source: []byte(o.Screen.Text(source)), width: min(o.Screen.Width, measure),
		options: o, out: &strings.Builder{},
	}
	r.blocks(parser.Parse(text.NewReader(r.source)), "")
	return r.out.String()
}

// renderer holds what one rendering needs.
type renderer struct {
	source  []byte
	width   int // of a line
	options Options
	out     *strings.Builder
}

// blocks renders the children of a block, with an empty line between them.
func (r *renderer) blocks(parent ast.Node, indent string) {
	for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
		if n != parent.FirstChild() && !tight(n) {
			r.line(strings.TrimRight(indent, " "))
		}
		r.block(n, indent)
	}
}

// tight reports whether a block stands right below the one before, as the items
// of most lists do.
func tight(n ast.Node) bool {
	list, inList := n.Parent().(*ast.List)
	_, inItem := n.Parent().(*ast.ListItem)
	_, isList := n.(*ast.List)
	return inList && list.IsTight || inItem && isList
}

// block renders one block.
func (r *renderer) block(n ast.Node, indent string) {
	switch n := n.(type) {
	case *ast.Heading:
		r.heading(n, indent)
	case *ast.Paragraph, *ast.TextBlock:
		r.wrap(r.words(n, style{}), indent, indent)
	case *ast.List:
		r.list(n, indent)
	case *ast.FencedCodeBlock:
		r.code(n, indent, string(n.Language(r.source)) == "console")
	case *ast.CodeBlock:
		r.code(n, indent, false)
	case *ast.Blockquote:
		r.blocks(n, indent+"| ")
	case *ast.ThematicBreak:
		r.line(indent + strings.Repeat("-", max(3, min(20, r.width-len(indent)))))
	case *extast.Table:
		r.table(n, indent)
	default: // such as HTML, which is shown as it is written
		r.code(n, indent, false)
	}
}

// line prints one line.
func (r *renderer) line(one string) { r.out.WriteString(one + "\n") }

// heading prints a title; without colour a line below it sets it off.
func (r *renderer) heading(n *ast.Heading, indent string) {
	title := plain(r.words(n, style{}))
	if r.options.Screen.Color {
		r.line(indent + r.options.Screen.Bold(title))
		return
	}
	r.line(indent + title)
	if n.Level <= 2 {
		under := map[int]string{1: "=", 2: "-"}[n.Level]
		r.line(indent + strings.Repeat(under, screen.Width(title)))
	}
}

// list renders the items behind their signs or numbers.
func (r *renderer) list(n *ast.List, indent string) {
	number := n.Start
	for item := n.FirstChild(); item != nil; item = item.NextSibling() {
		sign := "- "
		if n.IsOrdered() {
			sign = fmt.Sprintf("%d. ", number)
			number++
		}
		if item != n.FirstChild() && !n.IsTight {
			r.line("")
		}
		// The item is rendered apart: its first line begins with the sign.
		deeper := indent + strings.Repeat(" ", len(sign))
		apart := &renderer{r.source, r.width, r.options, &strings.Builder{}}
		apart.blocks(item, deeper)
		if item.FirstChild() == nil {
			r.line(indent + strings.TrimRight(sign, " "))
			continue
		}
		r.out.WriteString(indent + sign + strings.TrimPrefix(apart.out.String(), deeper))
	}
}

// code prints a block as it is written, set in as far as the width allows. In a
// console block the lines that are typed stand out.
func (r *renderer) code(n ast.Node, indent string, console bool) {
	lines := make([]string, 0, n.Lines().Len())
	longest := 0
	for i := range n.Lines().Len() {
		segment := n.Lines().At(i)
		line := strings.TrimRight(string(segment.Value(r.source)), "\r\n")
		lines = append(lines, line)
		longest = max(longest, screen.Width(line))
	}
	room := r.width - len(indent) - longest
	indent += strings.Repeat(" ", max(0, min(4, room)))
	continued := false
	for _, line := range lines {
		typed := console && (continued || strings.HasPrefix(line, "$ ") ||
			strings.HasPrefix(line, "# "))
		continued = typed && strings.HasSuffix(line, `\`)
		r.line(strings.TrimRight(indent+r.paint(line, style{bold: typed}), " "))
	}
}

// address puts a link's address into words.
func (r *renderer) address(destination string) string {
	switch {
	case strings.Contains(destination, "://"):
		return destination
	case r.options.Link == nil || strings.HasPrefix(destination, "#"):
		return ""
	}
	return r.options.Link(path.Clean(destination))
}
