//go:build linux

package event_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lab/final/internal/event"
)

// add notes an action.
func add(t *testing.T, log event.Log, action string) {
	t.Helper()
	about := map[string]string{"much": strings.Repeat("x", 60000)}
	require.NoError(t, log.Add(event.Event{
		Type: "container", Action: action, Actor: event.Actor{ID: "1", Attributes: about},
	}))
}

// actions are those that a query finds.
func actions(t *testing.T, log event.Log, q event.Query) (found []string) {
	t.Helper()
	require.NoError(t, log.Read(t.Context(), q, func(e event.Event) error {
		found = append(found, e.Action)
		return nil
	}))
	return found
}

func TestEventsAreChosen(t *testing.T) {
	log := event.Log(filepath.Join(t.TempDir(), "events"))
	assert.Empty(t, actions(t, log, event.Query{}), "there was none yet")
	add(t, log, "create")
	between := time.Now()
	add(t, log, "start")
	assert.Equal(t, []string{"create", "start"}, actions(t, log, event.Query{}))
	assert.Equal(t, []string{"start"}, actions(t, log, event.Query{Since: between}))
	assert.Equal(t, []string{"create"}, actions(t, log, event.Query{Until: between}))
	assert.Equal(t, []string{"start"}, actions(t, log, event.Query{
		Wanted: func(e event.Event) bool { return e.Action == "start" },
	}))
}

// Whoever writes while the disk is full leaves half a line, which is passed over.
func TestHalfALine(t *testing.T) {
	log := event.Log(filepath.Join(t.TempDir(), "events"))
	add(t, log, "create")
	file, err := os.OpenFile(string(log), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = file.WriteString(`{"Type":"cont` + "\n")
	require.NoError(t, err)
	require.NoError(t, file.Close())
	add(t, log, "start")
	assert.Equal(t, []string{"create", "start"}, actions(t, log, event.Query{}))
}

// Many add at a time while one follows: the files stay small, and who follows misses
// nothing and sees nothing twice.
func TestFilesAreBounded(t *testing.T) {
	log := event.Log(filepath.Join(t.TempDir(), "events"))
	const rounds, writers = 10, 4 // 2.4 MB
	seen := make(chan string)
	go func() {
		defer close(seen)
		_ = log.Read(t.Context(), event.Query{Follow: true}, func(e event.Event) error {
			seen <- e.Action
			return nil
		})
	}()
	times := map[string]int{}
	for n := range rounds {
		var group sync.WaitGroup
		for w := range writers {
			group.Go(func() { add(t, log, fmt.Sprint(w, "-", n)) })
		}
		group.Wait()
		for range writers { // two files are not written between two looks
			times[<-seen]++
		}
	}
	assert.Len(t, times, rounds*writers)
	for _, path := range []string{string(log), string(log) + ".1"} {
		info, err := os.Stat(path)
		require.NoError(t, err)
		assert.Less(t, info.Size(), int64(1<<20+1<<16))
	}
}
