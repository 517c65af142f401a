package watch

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lab/internal/screen"
)

func TestMark(t *testing.T) {
	tests := []struct{ name, before, now, want string }{
		{"nothing changed", "a 1|b 2", "a 1|b 2", "  a 1|  b 2"},
		{"a line is new", "a|c", "a|b|c", "  a|+ b|  c"},
		{"a line is gone", "a|b|c", "a|c", "  a|- b|  c"},
		{"a line is another", "usage now 1|b", "usage now 2|b", "~ usage now 2|  b"},
		{"one goes, another comes", "pid 1 x|end", "pod 2 y|end", "- pid 1 x|+ pod 2 y|  end"},
		{"two of the same beginning", "a b 1|a b 2", "a b 3|a b 4", "~ a b 3|~ a b 4"},
		{"more than before", "a b 1", "a b 2|a b 3", "~ a b 2|+ a b 3"},
		{"a column became wider", "a  1|b  2", "a    1|b    2", "  a    1|  b    2"},
		{"empty lines stay empty", "a||b", "a||c", "  a||- b|+ c"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			lines, changed := mark(strings.Split(tt.before, "|"), strings.Split(tt.now, "|"))
			assert.Equal(t, tt.want, strings.Join(lines, "|"))
			assert.Equal(t, strings.ContainsAny(tt.want, "+-~"), changed)
		})
	}
}

// run draws some pictures and returns what was written.
func run(t *testing.T, to screen.Screen, pictures ...string) string {
	t.Helper()
	var out strings.Builder
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	drawn := 0
	err := Run(ctx, to.To(&out), time.Millisecond, func(s screen.Screen) error {
		_, err := fmt.Fprintln(s, pictures[drawn])
		if drawn++; drawn == len(pictures) {
			stop()
		}
		return err
	})
	require.NoError(t, err)
	return out.String()
}

func TestIntoAPipe(t *testing.T) {
	got := run(t, screen.Screen{Width: 80}, "x is 1", "x is 1", "x is 2")
	assert.Equal(t, "  x is 1\n\n~ x is 2\n", got, "only pictures that differ")
}

func TestOnATerminal(t *testing.T) {
	got := run(t, screen.Screen{Width: 80, Terminal: true}, "x is 1", "x is 2")
	assert.Equal(t, 2, strings.Count(got, "\x1b[H"), "in the same place")
	assert.Contains(t, got, "~ x is 2\x1b[K\n")
	assert.Contains(t, got, "Ctrl-C ends")
}

func TestMoreThanTheScreenHolds(t *testing.T) {
	to := screen.Screen{Width: 80, Height: 5, Terminal: true}
	got := run(t, to, "1\n2\n3\n4\n5")
	assert.Equal(t, "\x1b[H  1\x1b[K\n  2\x1b[K\n  and 3 lines more\x1b[K\n"+
		"  every 1ms: + new, - gone, ~ changed; Ctrl-C ends\x1b[K\n\x1b[J", got)
}

func TestTheMarksHaveRoom(t *testing.T) {
	err := Run(t.Context(), screen.Screen{Width: 80}, time.Second, func(s screen.Screen) error {
		assert.Equal(t, 78, s.Width)
		return errors.New("enough")
	})
	require.EqualError(t, err, "enough")
}

func TestChangesBelowTheScreenAreSaid(t *testing.T) {
	to := screen.Screen{Width: 80, Height: 5, Terminal: true, UTF8: true}
	got := run(t, to, "a\nb\nc x\nd", "a\nb\nc y\nd")
	assert.Contains(t, got, "  and 2 lines more\x1b[K\n")
	assert.Contains(t, got, "~ and 2 lines more, 1 of them marked\x1b[K\n")
}
