package screen

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestLocale(t *testing.T) {
	tests := []struct {
		name string
		env  map[string]string
		want bool
	}{
		{"nothing is set", nil, false},
		{"LANG", map[string]string{"LANG": "en_GB.UTF-8"}, true},
		{"another way to write it", map[string]string{"LANG": "C.utf8"}, true},
		{"LC_ALL before LANG", map[string]string{"LC_ALL": "C", "LANG": "C.UTF-8"}, false},
		{"LC_CTYPE before LANG", map[string]string{"LC_CTYPE": "C.UTF-8", "LANG": "C"}, true},
		{"an empty one does not count", map[string]string{"LC_ALL": "", "LANG": "C.UTF-8"}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			assert.Equal(t, tt.want, hasUTF8(func(name string) string { return tt.env[name] }))
		})
	}
}

func TestOfAPipe(t *testing.T) {
	s := Of(&bytes.Buffer{})
	assert.Equal(t, 80, s.Width)
	assert.False(t, s.Terminal)
	assert.Equal(t, "own", s.Own("own"), "no colour")
}

func TestColourTakesNoColumn(t *testing.T) {
	s := Screen{Color: true}
	assert.NotEqual(t, "own", s.Own("own"))
	assert.Equal(t, 3, Width(s.Own("own")))
	assert.Equal(t, 4, Width("né·…"))
}

// What a process calls itself must not reach the terminal as it is.
func TestClean(t *testing.T) {
	s := Screen{UTF8: true}
	assert.Equal(t, "?[2Jé b", s.Clean("\x1b[2Jé\nb"))
	assert.Equal(t, "a?", Screen{}.Clean("aé"))
	assert.Equal(t, "?", s.Clean("\xff"))
}

func TestCut(t *testing.T) {
	s := Screen{UTF8: true}
	assert.Equal(t, "abc", s.Cut("abc", 3))
	assert.Equal(t, "ab…", s.Cut("abcd", 3))
	assert.Equal(t, "a...", Screen{}.Cut("abcdef", 4))
	assert.Empty(t, s.Cut("abc", 0))
}

func TestBreak(t *testing.T) {
	assert.Equal(t, []string{"/"}, Break("/", 8))
	assert.Equal(t, []string{"/a/bc/", "def/g"}, Break("/a/bc/def/g", 6))
	assert.Equal(t, []string{"/abc", "defg", "/h"}, Break("/abcdefg/h", 4))
	assert.Equal(t, "/é/…/long", strings.Join(Break("/é/…/long", 3), ""))
}

func TestTable(t *testing.T) {
	tests := []struct {
		name  string
		table Table
		want  string
	}{
		{"the last column is cut", Table{Flex: 1}, "a     one two three f…\nlong  x\n"},
		{
			"or broken into lines",
			Table{Flex: 1, Wrap: true},
			"a     one two three\n      four\nlong  x\n",
		},
		{
			"numbers end where others end",
			Table{Flex: 1, Right: map[int]bool{0: true}},
			"   a  one two three f…\nlong  x\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			tt.table.Screen = Screen{Writer: &out, Width: 22, UTF8: true}
			tt.table.Add("a", "one two three four")
			tt.table.Add("long", "x")
			tt.table.Print()
			assert.Equal(t, tt.want, out.String())
		})
	}
}
