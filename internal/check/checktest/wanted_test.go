//go:build linux

package checktest

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestWanted tells which checks a step is asked on a slow machine and elsewhere.
func TestWanted(t *testing.T) {
	tests := []struct {
		name, variable, of, step string
		want                     bool
	}{
		{"all of an ancestor's", "", "01-uts", "08-user", true},
		{"its own", "own", "08-user", "08-user", true},
		{"none of an ancestor's", "own", "01-uts", "08-user", false},
		{"but those of limits", "own", "05-cgroups", "08-user", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv(onlyOwn, tt.variable)
			assert.Equal(t, tt.want, wanted(tt.of, tt.step))
		})
	}
}
