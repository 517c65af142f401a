package oom_test

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lab/internal/oom"
)

// contextOfAll outlives every test.
var contextOfAll = context.Background()

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "512": 512, "64K": 64 << 10, "30M": 30 << 20, "30MiB": 30 << 20, "2g": 2 << 30,
	} {
		got, err := oom.ParseSize(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "M", "-1M", "1.5M", "30X", "99999999999G"} {
		_, err := oom.ParseSize(text)
		assert.Error(t, err, text)
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 MiB", 30 << 20: "30 MiB", 3<<20 + 1<<19: "3.5 MiB", 64 << 10: "64 KiB", 7: "7 bytes",
	} {
		assert.Equal(t, want, oom.Bytes(n))
	}
}

// The picture is XML, whatever the texts hold, and shows the kill.
func TestPlot(t *testing.T) {
	r := oom.Result{
		Version: 2, Step: 1 << 20, Verdict: "killed <at> 16 & more",
		Limited: oom.Phase{
			Limit: 16 << 20, Base: 1 << 20, Peak: 16 << 20, Status: 137,
			Samples: []oom.Sample{
				{Milliseconds: 0, Usage: 8 << 20}, {Milliseconds: 90, Usage: 15 << 20},
			},
			Kill: &oom.Kill{Milliseconds: 100},
		},
		Contrast: &oom.Phase{Samples: []oom.Sample{{Milliseconds: 50, Usage: 24 << 20}}},
	}
	for _, attached := range []int{0, 1} {
		r.Limited.Attached = attached
		var picture strings.Builder
		require.NoError(t, oom.Plot(&picture, r))
		decoder := xml.NewDecoder(strings.NewReader(picture.String()))
		for {
			_, err := decoder.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
		}
		assert.Contains(t, picture.String(), "limit 16 MiB")
		assert.Contains(t, picture.String(), "OOM kill: exit status 137")
		assert.Contains(t, picture.String(), "killed &lt;at&gt; 16 &amp; more")
		assert.NotContains(t, picture.String(), "NaN")
	}
	// A demonstration that was broken off has a picture as well.
	require.NoError(t, oom.Plot(io.Discard, oom.Result{}))
}
