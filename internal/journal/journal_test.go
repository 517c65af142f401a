package journal

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDiff(t *testing.T) {
	before := Snapshot{Entries: []Entry{
		{Mounts, "a", "tmpfs on /a", "rw"},
		{Links, "lo", "link lo", "up"},
		{Cgroups, "x", "cgroup x", ""},
	}}
	after := Snapshot{Entries: []Entry{
		{Mounts, "a", "tmpfs on /a", "ro"},
		{Links, "lo", "link lo", "up"},
		{Links, "a", "link a", "up"}, // the same ID in another kind
	}}
	assert.Equal(t, []Difference{
		{Cgroups, "cgroup x", "removed"},
		{Links, "link a", "added"},
		{Mounts, "tmpfs on /a", `changed from "rw" to "ro"`},
	}, before.Diff(after))
	assert.Empty(t, before.Diff(before))
}

func TestCompared(t *testing.T) {
	s := Snapshot{
		Scope:      Scope{Without: []Kind{Cgroups}},
		Unreadable: map[Kind]string{Rules: "operation not permitted"},
	}
	assert.Equal(t, []Kind{Mounts, Links, Processes}, s.Compared())
	assert.Equal(t, []Kind{Mounts, Links, Rules, Cgroups, Processes}, Snapshot{}.Compared())
}

// A snapshot that was stored compares as before.
func TestJSON(t *testing.T) {
	before := Snapshot{
		Scope:   Scope{Whole: true},
		Entries: []Entry{{Mounts, "a", "tmpfs on /a", "rw"}},
	}
	text, err := json.Marshal(before)
	require.NoError(t, err)
	assert.Contains(t, string(text), `{"kind":"mounts","id":"a","what":"tmpfs on /a","state":"rw"}`)
	var stored Snapshot
	require.NoError(t, json.Unmarshal(text, &stored))
	assert.Equal(t, before, stored)
	text, err = json.Marshal(Difference{Mounts, "tmpfs on /a", "added"})
	require.NoError(t, err)
	assert.JSONEq(t, `{"kind":"mounts","what":"tmpfs on /a","change":"added"}`, string(text))
}
