//go:build linux

package main

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lab/internal/corpus"
	"lab/internal/screen"
)

// The parts together are all entries, none of them twice, and are as large as each
// other.
func TestParts(t *testing.T) {
	all, err := newDevSet(t.TempDir(), nil)
	require.NoError(t, err)
	const parts = 7
	seen := map[string]int{}
	for k := range parts {
		var p part
		require.NoError(t, p.Set(strconv.Itoa(k+1)+"/"+strconv.Itoa(parts)))
		some := p.choose(all.entries)
		assert.InDelta(t, len(all.entries)/parts, len(some), 1)
		steps, kinds := map[string]bool{}, map[string]bool{}
		for _, e := range some {
			seen[e.ID()]++
			steps[e.Step], kinds[e.Kind] = true, true
		}
		assert.Len(t, steps, 9, "steps in %s", &p)
		assert.Len(t, kinds, len(entryKinds()), "kinds in %s", &p)
	}
	assert.Len(t, seen, len(all.entries))
	for id, times := range seen {
		assert.Equal(t, 1, times, id)
	}
	assert.Equal(t, all.entries, new(part).choose(all.entries), "without the flag")
}

// What is no part is refused.
func TestNoParts(t *testing.T) {
	for _, text := range []string{"", "1", "0/3", "4/3", "-1/3", "1/0", "1/3x", "1/3 x", "a/b"} {
		assert.Error(t, new(part).Set(text), text)
	}
}

// The last line counts what was told, and a wrong one is told why.
func TestCounts(t *testing.T) {
	var said strings.Builder
	c := newDevCount(4, screen.Of(&said))
	mistake := corpus.Entry{Kind: corpus.Mistakes, Step: "01-uts", Name: "m", About: "no flag"}
	c.tell(corpus.Outcome{Entry: mistake}, "", 0)
	c.tell(corpus.Outcome{Entry: mistake, Wrong: "every check passes"}, "", 0)
	c.tell(corpus.Outcome{Entry: mistake}, "there is no cgroup v1 here", 0)
	cheat := corpus.Entry{Kind: corpus.Cheats, Step: "01-uts", Name: "c"}
	c.tell(corpus.Outcome{Entry: cheat}, "", 0)
	assert.Equal(t, 1, c.wrong())
	line, err := c.summary(part{2, 5})
	require.NoError(t, err)
	assert.Equal(t, "references 0/0, skeletons 0/0 fail as intended, mistakes 1/2, "+
		"correct variants 0/0, cheats 1/1, hints 27/27; 1 skipped; part 2 of 5", line)
	assert.Contains(t, said.String(), "FAIL   2/4   0.0 s  mistakes/01-uts/m: no flag\n"+
		"every check passes\n")
	assert.Contains(t, said.String(), "SKIP   3/4   0.0 s  mistakes/01-uts/m: there is no cgroup")
}
