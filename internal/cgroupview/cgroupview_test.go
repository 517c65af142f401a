//go:build linux

package cgroupview

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lab/internal/inspect"
	"lab/internal/screen"
)

func TestBytes(t *testing.T) {
	for text, want := range map[string]string{
		"0": "0 B", "1023": "1023 B", "1024": "1 KiB", "1536": "1.5 KiB", "31457280": "30 MiB",
		"max": "no limit", "9223372036854771712": "no limit", "-1": "no limit",
		"words": "words", "": "(empty)",
	} {
		assert.Equal(t, want, Bytes(text), "%q", text)
	}
}

func TestProcessors(t *testing.T) {
	for _, tt := range []struct{ quota, period, want string }{
		{"50000", "100000", "0.5 of a processor"},
		{"max", "100000", "no limit"},
		{"-1", "100000", "no limit"},
		{"150000", "100000", "1.5 of a processor"},
		{"5", "0", "no limit"},
		{"5", "", "no limit"},
	} {
		assert.Equal(t, tt.want, Processors(tt.quota, tt.period))
	}
}

// made writes a directory with the files of a cgroup.
func made(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return dir
}

func TestVersion2(t *testing.T) {
	dir := made(t, map[string]string{
		"cgroup.controllers": "cpu memory\n",
		"cgroup.procs":       "12\n0\n4\n",
		"memory.max":         "104857600\n",
		"memory.current":     "52428800\n",
		"memory.events":      "low 0\nmax 7\noom 1\noom_kill 2\n",
		"cpu.max":            "20000 100000\n",
		"cpu.pressure":       "some avg10=1.53 avg60=0.70 total=12345\nfull avg10=0.00\n",
		"hugetlb.2MB.max":    "max\n",
		"no.such.file":       "1\n",
	})
	c := Cgroup{Membership: inspect.Membership{Path: "/box", Dir: dir}, Yours: "/"}
	c.read()
	assert.Equal(t, []int{0, 4, 12}, c.Processes)
	assert.Equal(t, []string{"cpu", "memory"}, c.Controllers)
	got := map[string]string{}
	for _, f := range c.Files {
		got[f.Name] = f.Value + " | " + f.Meaning
	}
	assert.Equal(t, "100 MiB | memory above it is reclaimed, then the OOM killer comes",
		got["memory.max"])
	assert.Equal(t, "50 MiB | 50 % of the limit: memory charged now, page cache included",
		got["memory.current"])
	assert.Contains(t, got["memory.events"], "2 killed: how often")
	assert.Contains(t, got["memory.events"], "low 0, max 7, oom 1, oom_kill 2")
	assert.Contains(t, got["cpu.max"], "20000 100000 | 0.2 of a processor: ")
	assert.Contains(t, got["cpu.pressure"], "1.53 % | ")
	assert.Contains(t, got["hugetlb.2MB.max"], "no limit | ")
	assert.NotContains(t, got, "no.such.file")

	chosen := Choose([]Cgroup{c}, []string{"cpu"})
	require.Len(t, chosen, 1)
	for _, f := range chosen[0].Files {
		assert.True(t, strings.HasPrefix(f.Name, "cpu."), f.Name)
	}
	assert.Empty(t, Choose([]Cgroup{c}, []string{"io"}))

	var out strings.Builder
	Print(screen.Screen{Writer: &out, Width: 80}, []Cgroup{c})
	assert.Contains(t, out.String(), "v2: /box, isolated: you are in /\n")
	assert.Contains(t, out.String(), "processes 4 12 (1 that you cannot see)")
}

func TestFileThatMayNotBeRead(t *testing.T) {
	c := Cgroup{Membership: inspect.Membership{Path: "/", Dir: "/"}}
	c.Files = []File{{Name: "memory.max", Err: fs.ErrPermission}}
	var out strings.Builder
	Print(screen.Screen{Writer: &out, Width: 80}, []Cgroup{c})
	assert.Regexp(t, `memory.max +\? +permission denied`, out.String())
	assert.Equal(t, "permission denied", Documents([]Cgroup{c})[0].Files[0].Error)
}

// A file's name is known once, or the second line would never be used.
func TestEachFileIsExplainedOnce(t *testing.T) {
	for _, known := range [][]entry{v1, v2} {
		seen := map[string]bool{}
		for _, k := range known {
			assert.False(t, seen[k.name], k.name)
			assert.NotEmpty(t, k.phrase, k.name)
			seen[k.name] = true
		}
	}
}
