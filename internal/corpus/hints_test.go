//go:build linux

package corpus_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lab/internal/corpus"
	"lab/internal/hint"
	"lab/internal/progress"
)

// unhinted are diagnoses to which no hint reacts, by why.
var unhinted = map[string]string{
	"gave-up": "nothing is known but the kernel's words, to which hints react",
}

// What a diagnosis names the first hint takes up.
func TestHintsReact(t *testing.T) {
	_, entries := load(t)
	used := map[string]bool{}
	for _, e := range append(entries, corpus.Begun()...) {
		if e.Diagnosis == "" {
			continue
		}
		h, err := hint.Of(e.Step)
		require.NoError(t, err)
		general, err := h.Get(1, nil)
		require.NoError(t, err)
		reaction, err := h.Get(1, &progress.Failure{Mistake: e.Diagnosis})
		require.NoError(t, err)
		why, without := unhinted[e.Diagnosis]
		used[e.Diagnosis] = used[e.Diagnosis] || without
		if without {
			assert.NotEmpty(t, why)
			continue
		}
		assert.NotEqual(t, general, reaction, "%s: no hint reacts to %s", e.ID(), e.Diagnosis)
	}
	for diagnosis := range unhinted {
		assert.True(t, used[diagnosis], "nothing is diagnosed as %s", diagnosis)
	}
}
