package architecture

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// changed returns how many lines a diff from a to b removes and adds: all lines
// but their longest common subsequence.
func changed(a, b []string) int {
	// common[j] is the length of the longest common subsequence of the lines of a
	// seen so far and the first j lines of b.
	common := make([]int, len(b)+1)
	for _, x := range a {
		diagonal := 0 // common[j-1] before x
		for j, y := range b {
			above := common[j+1]
			if x == y {
				common[j+1] = diagonal + 1
			} else {
				common[j+1] = max(above, common[j])
			}
			diagonal = above
		}
	}
	return len(a) + len(b) - 2*common[len(b)]
}

func TestChanged(t *testing.T) {
	tests := []struct {
		name, a, b string
		want       int
	}{
		{"the same", "a b c", "a b c", 0},
		{"a line more", "a b c", "a b x c", 1},
		{"a line less", "a b c", "a c", 1},
		{"a line that changes is one removed and one added", "a b c", "a x c", 2},
		{"a line that moves", "a b c", "b c a", 2},
		{"nothing in common", "a b", "c d e", 5},
		{"from nothing", "", "a b", 2},
		{"the same line several times", "a a b a", "a b a a", 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, b := strings.Fields(tt.a), strings.Fields(tt.b)
			assert.Equal(t, tt.want, changed(a, b))
			assert.Equal(t, tt.want, changed(b, a))
		})
	}
}
