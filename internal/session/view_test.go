//go:build linux

package session

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lab/internal/screen"
)

// A command that was broken into lines is the same command for a shell.
func TestPasted(t *testing.T) {
	s := screen.Screen{UTF8: true}
	command := `printf '%s|' one 'two  words' "three 'four'" a-very-long-word-that-is-wide five ''`
	lines := pasted(s, command, 20)
	assert.Greater(t, len(lines), 3)
	for _, line := range lines[:len(lines)-1] {
		assert.True(t, strings.HasSuffix(line, ` \`), line)
	}
	whole, err := exec.Command("sh", "-c", command).Output()
	require.NoError(t, err)
	broken, err := exec.Command("sh", "-c", strings.Join(lines, "\n")).Output()
	require.NoError(t, err)
	assert.Equal(t, string(whole), string(broken))
	assert.Equal(t, []string{"a b"}, pasted(s, "a b", 20))
}

func TestFit(t *testing.T) {
	assert.Equal(t, "abc", fit("abc", 3))
	assert.Equal(t, "ab", fit("abc", 2))
	assert.Equal(t, "\x1b[1mab\x1b[0m", fit("\x1b[1mabc\x1b[22m", 2))
	assert.Equal(t, "\x1b[1mab\x1b[22m", fit("\x1b[1mab\x1b[22m", 2))
}

// What a program prints can be of any length and hold anything.
func TestForeign(t *testing.T) {
	s := screen.Screen{UTF8: true}
	lines := foreign(s, "one two three\n\n\tfour\x1b[2J\r\n"+strings.Repeat("x", 25), 10)
	assert.Equal(t, []string{
		"one two", "three", "", "    four?[", "2J", "xxxxxxxxxx", "xxxxxxxxxx", "xxxxx",
	}, lines)
}
