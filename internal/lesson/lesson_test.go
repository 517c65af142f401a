package lesson_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lab/internal/lesson"
)

// text is a lesson whose section "Try it" holds the given lines.
func text(try string) string {
	var b strings.Builder
	b.WriteString("# A title\n")
	for _, h := range lesson.Headings() {
		b.WriteString("\n## " + h + "\n")
		if h == "Try it" {
			b.WriteString(try)
		}
	}
	return b.String()
}

func TestParse(t *testing.T) {
	l, err := lesson.Parse(text("Look:\n```console\n$ one\nout\n# two \\\n  more\n```\n" +
		"```\n## no heading\n$ no command\n```\n" +
		"1. Do\n\n   ```console\n   $ three &\n     out\n   ```\n"))
	require.NoError(t, err)
	assert.Equal(t, "A title", l.Title)
	require.Len(t, l.Sections, 6)
	assert.Equal(t, []lesson.Block{
		{Line: 12, Commands: []lesson.Command{
			{Line: 12, Text: "one", Output: []string{"out"}},
			{Line: 14, Root: true, Text: "two \\\n  more"},
		}},
		{Line: 24, Commands: []lesson.Command{
			{Line: 24, Text: "three &", Output: []string{"  out"}},
		}},
	}, l.Blocks())
	assert.Contains(t, l.Sections[3].Text, "# two \\\n")
}

func TestParseRefuses(t *testing.T) {
	tests := []struct {
		name, text string
		want       error
	}{
		{"no title", "## The problem\n", lesson.ErrTitle},
		{
			"a heading that is missing", strings.Replace(text(""), "## The idea\n", "", 1),
			lesson.ErrHeadings,
		},
		{"a heading too many", text("## More\n"), lesson.ErrHeadings},
		{"headings in another order", strings.NewReplacer("The idea", "The code",
			"The code", "The idea").Replace(text("")), lesson.ErrHeadings},
		{
			"a block before the first section", "# A title\n```console\n$ a\n```\n",
			lesson.ErrHeadings,
		},
		{"a block without an end", text("```console\n$ one\n"), lesson.ErrFence},
		{"a block without a command", text("```console\n```\n"), lesson.ErrConsole},
		{"output without a command", text("```console\nout\n$ one\n```\n"), lesson.ErrConsole},
		{
			"a command that goes on after the end", text("```console\n$ one \\\n```\n"),
			lesson.ErrConsole,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := lesson.Parse(tt.text)
			require.ErrorIs(t, err, tt.want)
		})
	}
}

func TestMatch(t *testing.T) {
	tests := []struct {
		name, want, got string
		match           bool
	}{
		{"nothing", "", "", true},
		{"the same", "a|b", "a|b", true},
		{"another line", "a|b", "a|c", false},
		{"a line is missing", "a|b", "a", false},
		{"a line too many", "a", "a|b", false},
		{"blanks at the end", "a", "a  ", true},
		{"blanks at the beginning", "a", "  a", false},
		{"a part of a line", "pid … of …, ended", "pid 12 of 13, ended", true},
		{"a part may be empty", "a…b", "ab", true},
		{"what is not there", "a…b…c", "a c", false},
		{"parts do not overlap", "ab…ba", "aba", false},
		{"the end counts", "a…b", "abc", false},
		{"the last place counts for the end", "…b", "b b", true},
		{"any lines", "a|…|c", "a|1|2|c", true},
		{"no line at all", "a|…|c", "a|c", true},
		{"any lines, but not this end", "a|…|c", "a|1|2", false},
		{"twice any lines", "…|x|…|y", "1|x|2|x|y", true},
		{"characters of expressions", "(a) $x [1] ^.*", "(a) $x [1] ^.*", true},
		{"they are not expressions", "a.c", "abc", false},
		{"an inode may be another", "uts:[1]", "uts:[77]", true},
		{"an inode is a number", "uts:[1]", "uts:[x]", false},
		{"equal inodes stay equal", "uts:[1]|uts:[1]", "uts:[77]|uts:[78]", false},
		{"different inodes stay different", "uts:[1]|uts:[2]", "uts:[77]|uts:[77]", false},
		{"inodes among other lines", "a:[1]|…|a:[2]|…", "a:[5]|a:[5]|a:[6]|b", true},
		{"everything", "…", "1|2", true},
		{"everything, nothing", "…", "", true},
	}
	lines := func(s string) []string {
		if s == "" {
			return nil
		}
		return strings.Split(s, "|")
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			assert.Equal(t, tt.match, lesson.Match(lines(tt.want), lines(tt.got)))
		})
	}
}

func TestDiff(t *testing.T) {
	got := lesson.Diff([]string{"a …", "b", "d"}, []string{"a 1", "c", "c", "d"})
	assert.Equal(t, "  a 1\n- b\n+ c\n+ c\n  d\n", got)
	assert.Equal(t, "- a\n", lesson.Diff([]string{"a"}, nil))
	assert.Equal(t, "+ a\n", lesson.Diff(nil, []string{"a"}))
}
