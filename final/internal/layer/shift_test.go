package layer

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// Whoever has no number on the other side is nobody there.
func TestShift(t *testing.T) {
	const first = Shift(2_000_000_000)
	tests := []struct {
		name             string
		shift            Shift
		id, here, inTars int
	}{
		{"no shift", 0, 70000, 70000, 70000},
		{"root of a tar", first, 0, 2_000_000_000, nobody},
		{"more than there are", first, 65536, 2_000_065_534, nobody},
		{"root here", first, 2_000_000_000, 2_000_065_534, 0},
		{"the last one here", first, 2_000_065_535, 2_000_065_534, 65535},
		{"somebody else here", first, 2_000_065_536, 2_000_065_534, nobody},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			assert.Equal(t, tt.here, tt.shift.here(tt.id))
			assert.Equal(t, tt.inTars, tt.shift.inTar(tt.id))
		})
	}
}
