package render

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lab/internal/course"
	"lab/internal/screen"
	"lab/steps"
)

// plainly renders without colour at a width.
func plainly(source string, width int) string {
	return Markdown(source, Options{Screen: screen.Screen{Width: width, UTF8: true}})
}

func TestBlocks(t *testing.T) {
	for _, c := range []struct{ name, source, want string }{
		{"headings", "# One\n\n## Two\n\n### Three\n", "One\n===\n\nTwo\n---\n\nThree\n"},
		{
			"a paragraph is broken where it has to be",
			"one two three four five six\nseven\n", "one two three four\nfive six seven\n",
		},
		{"a hard break stays", "one\\\ntwo\n", "one\ntwo\n"},
		{"emphasis and code", "*a b* **c** `d e`.\n", "*a b* *c* `d e`.\n"},
		{"a list", "- one two three four\n- five\n", "- one two three four\n- five\n"},
		{
			"items go on below their text", "- one two three four five\n",
			"- one two three four\n  five\n",
		},
		{"numbers go on from the first", "3. a\n4. b\n", "3. a\n4. b\n"},
		{"a list in a list", "- a\n  - b\n- c\n", "- a\n  - b\n- c\n"},
		{"a loose list", "- a\n\n- b\n\n  c\n", "- a\n\n- b\n\n  c\n"},
		{"an empty item", "-\n- b\n", "-\n- b\n"},
		{"code is set in", "    x  y\n", "    x  y\n"},
		{
			"code that is wide less so", "```\n12345678901234567 9\n```\n",
			" 12345678901234567 9\n",
		},
		{"code in a list", "- a\n\n  ```console\n  $ b\n  ```\n", "- a\n\n      $ b\n"},
		{"a quotation", "> a\n>\n> b\n", "| a\n|\n| b\n"},
		{"a rule", "a\n\n---\n\nb\n", "a\n\n" + strings.Repeat("-", 20) + "\n\nb\n"},
		{"a link elsewhere says where", "[here](https://a.b/c)\n", "here (https://a.b/c)\n"},
		{"one to a place in the text does not", "[here](#there)\n", "here\n"},
		{"an address is not said twice", "<https://a.b/c>\n", "https://a.b/c\n"},
		{"signs of HTML stay", "a <b> c\n", "a <b> c\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.want, plainly(c.source, 20))
		})
	}
}

func TestTable(t *testing.T) {
	source := "| a | number |\n|---|---:|\n| `one` | 1 |\n| two | 22 |\n"
	assert.Equal(t, "a      number\n-----  ------\n`one`       1\ntwo        22\n",
		plainly(source, 40))
	assert.Equal(t, "a: `one`\nnumber: 1\n\na: two\nnumber: 22\n", plainly(source, 12),
		"on a narrow screen each row stands for itself")
}

func TestColour(t *testing.T) {
	o := Options{Screen: screen.Screen{Width: 80, UTF8: true, Color: true}}
	got := Markdown("# T\n\n*a* `b`\n\n```console\n$ c \\\n  d\ne\n```\n", o)
	assert.Equal(t, "\x1b[1mT\x1b[22m\n\n\x1b[1ma\x1b[22m \x1b[35mb\x1b[0m\n\n"+
		"    \x1b[1m$ c \\\x1b[22m\n    \x1b[1m  d\x1b[22m\n    e\n", got)
}

func TestLinksBetweenFiles(t *testing.T) {
	o := Options{Screen: screen.Screen{Width: 80}, Link: func(address string) string {
		return strings.ToUpper(address)
	}}
	assert.Equal(t, "a (B.MD)\n", Markdown("[a](./b.md)\n", o))
}

// escape is a change of colour or weight: nothing but the eight basic colours and
// bold.
var escape = regexp.MustCompile(`\x1b\[(0|1|22|3[0-7]|39)(;(0|1|22|3[0-7]|39))*m`)

// Each lesson fits into 80 columns, in colour and without, and nothing of it is
// lost on the way.
func TestLessons(t *testing.T) {
	for _, s := range course.Steps() {
		source, err := steps.Files.ReadFile(s.ID + "/README.md")
		require.NoError(t, err)
		for _, to := range []screen.Screen{
			{Width: 80, UTF8: true},
			{Width: 80, UTF8: true, Color: true},
			{Width: 80},
			{Width: 200, UTF8: true},
		} {
			text := Markdown(string(source), Options{Screen: to})
			bare := escape.ReplaceAllString(text, "")
			assert.NotContains(t, bare, "\x1b")
			assert.Equal(t, to.Color, bare != text)
			for line := range strings.Lines(bare) {
				if !strings.Contains(to.Text(string(source)), line) { // printed by a run
					assert.LessOrEqual(t, screen.Width(strings.TrimSuffix(line, "\n")), 80, line)
				}
				assert.NotRegexp(t, `[ \t]\n$`, line)
			}
			assert.Equal(t, letters(to.Text(string(source))), letters(bare))
		}
	}
}

// address is that of a link, and which language a block is in: they are not shown.
var address = regexp.MustCompile(`\]\([^)]*\)|(?m:^ *` + "```" + `[a-z]*$)`)

// sign is what is neither a letter nor a figure.
var sign = regexp.MustCompile(`[^A-Za-z0-9]`)

// letters returns the letters and figures of a text.
func letters(markdown string) string {
	return sign.ReplaceAllString(address.ReplaceAllString(markdown, ""), "")
}

func FuzzMarkdown(f *testing.F) {
	for _, s := range course.Steps() {
		source, _ := steps.Files.ReadFile(s.ID + "/README.md")
		f.Add(string(source), 80)
	}
	f.Add("| a |\n|--|\n| b | c |\n\n- \n  1. x", 3)
	f.Fuzz(func(_ *testing.T, source string, width int) {
		plainly(source, width%200)
	})
}
