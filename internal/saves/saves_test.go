//go:build linux

package saves

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// patience is how long a save may take to be told; none here takes as long.
const patience = 2 * time.Minute

// begin watches a directory with one file in it.
func begin(t *testing.T, poll bool) (dir string, saved chan struct{}) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "01-uts")
	require.NoError(t, os.Mkdir(dir, 0o755))
	save(t, dir, "main.go", "one")
	saved = make(chan struct{}, 1)
	w := Watch(dir, poll)
	assert.Equal(t, poll, w.How() != "inotify")
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.Run(t.Context(), saved)
	}()
	t.Cleanup(func() { <-ended })
	return dir, saved
}

// save writes a file.
func save(t *testing.T, dir, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
}

// told waits for a save to be told.
func told(t *testing.T, saved chan struct{}) {
	t.Helper()
	select {
	case <-saved:
	case <-time.After(patience):
		t.Fatal("no save was told")
	}
}

// untold is sure of that none is told, as far as a second can tell.
func untold(t *testing.T, saved chan struct{}) {
	t.Helper()
	select {
	case <-saved:
		t.Fatal("a save was told that was none")
	case <-time.After(time.Second):
	}
}

func TestSaves(t *testing.T) {
	t.Parallel() // a watch is mostly waiting
	for _, poll := range []bool{false, true} {
		t.Run(fmt.Sprintf("poll %v", poll), func(t *testing.T) {
			t.Parallel()
			dir, saved := begin(t, poll)
			save(t, dir, "main.go", "two")
			told(t, saved)

			// As editors do it: a new file takes the old one's name.
			save(t, dir, ".main.go.swp", "x")
			save(t, dir, "4913.go", "three")
			main := filepath.Join(dir, "main.go")
			require.NoError(t, os.Rename(filepath.Join(dir, "4913.go"), main))
			told(t, saved)

			// Many changes at once are one save.
			for i := range 20 {
				save(t, dir, fmt.Sprintf("f%d.go", i), "package main")
			}
			told(t, saved)
			untold(t, saved)

			require.NoError(t, os.Remove(filepath.Join(dir, "f3.go")))
			told(t, saved)
		})
	}
}

func TestNoSaves(t *testing.T) {
	t.Parallel()
	dir, saved := begin(t, false)
	save(t, dir, ".main.go.swp", "x")
	save(t, dir, "main.go~", "x")
	save(t, dir, "#main.go#", "x")
	save(t, dir, "notes.txt", "x")
	_, err := os.ReadFile(filepath.Join(dir, "main.go"))
	require.NoError(t, err)
	untold(t, saved)
}

// A directory that is replaced, as by lab reset, is followed.
func TestReplacedDirectory(t *testing.T) {
	t.Parallel()
	dir, saved := begin(t, false)
	require.NoError(t, os.Rename(dir, dir+".old"))
	told(t, saved)
	require.NoError(t, os.Mkdir(dir, 0o755))
	save(t, dir, "main.go", "new")
	told(t, saved)
	save(t, dir, "main.go", "newer")
	told(t, saved)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "below"), 0o755))
	save(t, filepath.Join(dir, "below"), "x.go", "package below")
	told(t, saved)
}

func TestRemote(t *testing.T) {
	assert.Empty(t, remote(t.TempDir()))
	assert.Empty(t, remote(filepath.Join(t.TempDir(), "not", "there")))
	assert.Contains(t, Watch(t.TempDir(), true).How(), "looking every 300ms: as asked")
}
