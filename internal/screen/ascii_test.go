package screen

import (
	"bytes"
	"io"
	"testing"

	"github.com/creack/pty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestASCII(t *testing.T) {
	assert.Equal(t, "one ... two - ?\n", ASCII("one … two — é\n"))
	assert.Equal(t, "+- ~ -> |\n", ASCII("├─ … ─► │\n"), "a picture keeps its columns")
	assert.Equal(t, "a…", Screen{UTF8: true}.Text("a…"))
	assert.Equal(t, "a...", Screen{}.Text("a…"))
}

// A pipe gets the text as it is, whatever the pager.
func TestPageIntoAPipe(t *testing.T) {
	t.Setenv("PAGER", "false")
	var out bytes.Buffer
	require.NoError(t, Of(&out).Page("text\n"))
	assert.Equal(t, "text\n", out.String())
}

// On a terminal it goes through the pager of the user's choice.
func TestPage(t *testing.T) {
	for _, c := range []struct{ name, pager, want string }{
		{"a command line", "sed -e s/text/other/", "other\r\n"},
		{"none", "", "text\r\n"},
		{"one that is not there", "lab-has-no-such-pager", "text\r\n"},
		{"one that reads nothing", "true", ""},
		{"what less(1) is told", "printenv LESS", "FRX\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("PAGER", c.pager)
			t.Setenv("LESS", "")
			terminal, ours, err := pty.Open()
			require.NoError(t, err)
			require.NoError(t, Of(ours).Page("text\n"))
			require.NoError(t, ours.Close())
			got, _ := io.ReadAll(terminal) // EIO is a terminal's end of file
			assert.Equal(t, c.want, string(got))
			require.NoError(t, terminal.Close())
		})
	}
}
