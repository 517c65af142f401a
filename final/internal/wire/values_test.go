package wire

import (
	"bytes"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// everything has a field of each kind that is sent.
type everything struct {
	Yes   bool
	Minus int64
	Large uint64
	Mode  uint32
	Word  string
	Bytes []byte
	Words []string
	Files map[string]int
	Below *everything
}

// sample is one in which nothing is as it is without a value.
func sample() everything {
	return everything{
		Yes: true, Minus: math.MinInt64, Large: math.MaxUint64, Mode: 0o755, Word: "größe\x00",
		Bytes: []byte{0, 1, 255}, Words: []string{"", "a"},
		Files: map[string]int{"fd:a": 3, "": -1}, Below: &everything{},
	}
}

func TestValuesTravel(t *testing.T) {
	for _, value := range []everything{
		{},
		sample(),
		{Below: &everything{Words: []string{}, Bytes: []byte{}}},
		{Files: map[string]int{}},
	} {
		var b bytes.Buffer
		require.NoError(t, Send(&b, value))
		var back everything
		require.NoError(t, Receive(&b, &back))
		assert.Equal(t, value, back)
		assert.ErrorIs(t, Receive(&b, &back), ErrDead)
	}
}

func TestValuesThatCannotTravel(t *testing.T) {
	_, err := Append(nil, struct{ Any any }{1})
	require.ErrorContains(t, err, "a message cannot hold a interface {}")
	_, err = Append(nil, []float64{1})
	require.ErrorContains(t, err, "a message cannot hold a float64")
	require.ErrorContains(t, NewReader([]byte{1}).Read(&struct{ hidden bool }{}), "not exported")
}

// A message that ends too early is an error wherever it ends.
func TestMessageCutOff(t *testing.T) {
	text, err := Append(nil, sample())
	require.NoError(t, err)
	for n := range text {
		require.ErrorIs(t, NewReader(text[:n]).Read(&everything{}), errCut, "%d bytes", n)
	}
	require.ErrorIs(t, NewReader([]byte{0xff, 0xff, 3}).Read(new(uint8)), errCut, "too large")
}

// A hostile message is an error or a value, and no panic.
func FuzzRead(f *testing.F) {
	text, err := Append(nil, sample())
	require.NoError(f, err)
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		var value everything
		if NewReader(text).Read(&value) != nil {
			return
		}
		again, err := Append(nil, value)
		require.NoError(t, err)
		var back everything
		require.NoError(t, NewReader(again).Read(&back))
		require.Equal(t, value, back)
	})
}
