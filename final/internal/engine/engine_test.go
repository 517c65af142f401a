//go:build linux

package engine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"lab/final/internal/monitor"
)

// openEngine opens an engine with directories of its own, and makes some containers' records.
func openEngine(t *testing.T, all ...*Container) *Engine {
	t.Helper()
	dir := t.TempDir()
	e, err := Open(Options{Root: filepath.Join(dir, "root"), State: filepath.Join(dir, "state")})
	require.NoError(t, err)
	for _, c := range all {
		require.NoError(t, os.Mkdir(e.dir(c.ID), 0o700))
		require.NoError(t, e.save(c))
		require.NoError(t, writeJSON(e.statePath(c.ID), c.State))
	}
	return e
}

// id is one of a single digit.
func id(digit string) string { return strings.Repeat(digit, idLength) }

// Who waits for the lock of a container that is removed meanwhile makes nothing of it.
func TestLockOfWhatIsRemoved(t *testing.T) {
	c := &Container{ID: id("a")}
	e := openEngine(t, c)
	lock, err := e.lock(c.ID)
	require.NoError(t, err)
	_, err = e.flock(c.ID, unix.LOCK_EX|unix.LOCK_NB)
	require.ErrorIs(t, err, unix.EWOULDBLOCK)
	waited := make(chan error)
	go func() {
		_, err := e.lock(c.ID)
		waited <- err
	}()
	require.NoError(t, os.RemoveAll(e.dir(c.ID)))
	require.NoError(t, lock.Close())
	require.ErrorIs(t, <-waited, ErrNotFound)
	assert.NoDirExists(t, e.dir(c.ID))
}

// A name is one container's at a time, and that of none that is gone or has another.
func TestNames(t *testing.T) {
	web, other := &Container{ID: id("a"), Name: "web"}, &Container{ID: id("b"), Name: "other"}
	e := openEngine(t, web, other)
	require.NoError(t, e.claimName("web", web.ID))
	require.ErrorIs(t, e.claimName("web", other.ID), ErrTaken)
	for _, word := range []string{"web", "/web", id("a"), "aaa"} {
		found, err := e.find(strings.TrimPrefix(word, "/"))
		require.NoError(t, err, word)
		assert.Equal(t, web.ID, found)
	}
	for _, word := range []string{"", "we", "c", "../containers", "a\x00"} {
		_, err := e.find(word)
		require.ErrorIs(t, err, ErrNotFound, word)
	}
	web.Name = "renamed"
	require.NoError(t, e.save(web))
	require.NoError(t, e.claimName("web", other.ID), "it has another now")
	require.NoError(t, os.RemoveAll(e.dir(other.ID)))
	require.NoError(t, e.claimName("web", web.ID), "that one is gone")
	for _, name := range []string{"", "x", "-x", "a/b", "..", "a b", strings.Repeat("x", 201)} {
		require.ErrorIs(t, e.claimName(name, web.ID), ErrName, name)
	}
}

// A container is lost if who looks after it, or was about to start it, is gone.
func TestIsLost(t *testing.T) {
	self, err := monitor.Self()
	require.NoError(t, err)
	dead := self
	dead.Start++
	for _, tt := range []struct {
		status  string
		monitor monitor.Process
		want    bool
	}{
		{monitor.Created, monitor.Process{}, false},
		{monitor.Created, self, false},
		{monitor.Created, dead, true},
		{monitor.Running, self, false},
		{monitor.Running, dead, true},
		{monitor.Paused, dead, true},
		{monitor.Restarting, dead, true},
		{monitor.Gone, dead, false},
	} {
		c := &Container{State: monitor.State{Status: tt.status, Monitor: tt.monitor}}
		assert.Equal(t, tt.want, c.isLost(), tt)
	}
}

// Of two variables with one name the later one counts.
func TestMergeEnv(t *testing.T) {
	for _, tt := range []struct{ base, more, want string }{
		{"", "", ""},
		{"A=1 B=2", "", "A=1 B=2"},
		{"A=1 B=2", "A=3 C=4", "A=3 B=2 C=4"},
		{"AB=1", "A=2", "AB=1 A=2"},
		{"A=1", "A=2 A=", "A="},
	} {
		got := mergeEnv(strings.Fields(tt.base), strings.Fields(tt.more))
		assert.Equal(t, tt.want, strings.Join(got, " "))
	}
}

// Limits that contradict each other are refused in words.
func TestLimits(t *testing.T) {
	const mib = 1 << 20
	for want, h := range map[string]HostConfig{
		"":                              {},
		"less than 6 MiB is not enough": {Memory: mib},
		"so --memory is needed":         {MemorySwap: 64 * mib},
		"it counts memory, too, which":  {Memory: 64 * mib, MemorySwap: 32 * mib},
		"say the same":                  {NanoCpus: 1e9, CPUQuota: 1000},
	} {
		err := h.check()
		if want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, want)
	}
	limits, err := (&HostConfig{Memory: 64 * mib, NanoCpus: 15e8, PidsLimit: 9}).resources()
	require.NoError(t, err)
	assert.EqualValues(t, 128*mib, *limits.Memory.Swap, "as much swap as memory")
	assert.EqualValues(t, 150_000, *limits.CPU.Quota)
	assert.EqualValues(t, 100_000, *limits.CPU.Period)
	assert.EqualValues(t, 9, *limits.Pids.Limit)
	none, err := (&HostConfig{}).resources()
	require.NoError(t, err)
	assert.Nil(t, none)
}

// The directory of a run goes as a whole; one on which something is mounted stays.
func TestRemoveState(t *testing.T) {
	e := openEngine(t)
	for _, left := range []string{"", goneSuffix} { // once more after somebody was killed
		require.NoError(t, os.MkdirAll(filepath.Join(e.stateDir(id("a"))+left, "bundle"), 0o700))
		require.NoError(t, e.removeState(id("a")))
		entries, err := os.ReadDir(e.State)
		require.NoError(t, err)
		assert.Empty(t, entries)
	}
	file := filepath.Join(e.rootfs(id("a")), "precious")
	require.NoError(t, os.MkdirAll(file, 0o700))
	require.ErrorContains(t, e.removeState(id("a")), "something is mounted in")
	assert.DirExists(t, file)
}
