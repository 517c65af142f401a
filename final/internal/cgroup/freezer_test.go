//go:build linux

package cgroup

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"lab/internal/need"
)

// soon waits until something is so.
func soon(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !is(); time.Sleep(time.Millisecond) {
		require.True(t, time.Now().Before(deadline), "never: %s", what)
	}
}

// pidsLimited is the cheapest cgroup: on version 1 of pids and freezer.
func pidsLimited() *specs.LinuxResources {
	return &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: new(int64(100))}}
}

// A frozen process does not answer; thawed it does what it was told meanwhile.
func TestFreeze(t *testing.T) {
	need.Cgroup(t, "pids")
	c := limited(t, pidsLimited())
	p := born(t, c)
	for range 3 {
		require.NoError(t, c.Freeze())
		frozen, err := c.Frozen()
		require.NoError(t, err)
		assert.True(t, frozen)

		_, err = p.in.WriteString("touch 1\n")
		require.NoError(t, err)
		answered := []unix.PollFd{{Fd: int32(p.outFile.Fd()), Events: unix.POLLIN}}
		n, err := unix.Poll(answered, 30)
		if err == nil {
			assert.Zero(t, n, "a frozen process has answered")
		}

		require.NoError(t, c.Thaw())
		require.True(t, p.out.Scan())
		assert.Equal(t, "done", p.out.Text())
		frozen, err = c.Frozen()
		require.NoError(t, err)
		assert.False(t, frozen)
	}
}

// Kill reaches what was forked, what is in cgroups that the container made, and the
// frozen.
func TestKill(t *testing.T) {
	need.Cgroup(t, "pids")
	for _, frozen := range []bool{false, true} {
		c := limited(t, pidsLimited())
		p := born(t, c)
		require.Equal(t, "done", p.do("fork"))
		require.Equal(t, "done", p.do("fork"))
		nest(t, c, "deeper")
		sub, err := c.Sub("/deeper")
		require.NoError(t, err)
		other := born(t, sub)

		pids, err := c.Procs(true)
		require.NoError(t, err)
		require.Len(t, pids, 4)
		own, err := c.Procs(false)
		require.NoError(t, err)
		require.Len(t, own, 3)
		assert.NotContains(t, own, other.Process.Pid)
		if frozen {
			require.NoError(t, c.Freeze())
		}
		require.NoError(t, c.Kill())
		soon(t, "all are dead", func() bool {
			pids, err := c.Procs(true)
			return err == nil && len(pids) == 0
		})
		require.NoError(t, c.Remove())
		require.NoError(t, c.Kill(), "a cgroup that is gone")
		require.NoError(t, c.Remove())
	}
}

// The way without cgroup.kill does the same.
func TestSignalKill(t *testing.T) {
	need.Cgroup(t, "pids")
	for _, frozen := range []bool{false, true} {
		c := limited(t, pidsLimited())
		p := born(t, c)
		require.Equal(t, "done", p.do("fork"))
		if frozen {
			require.NoError(t, c.Freeze())
		}
		require.NoError(t, c.Signal(unix.SIGKILL))
		require.NoError(t, c.Remove())
	}
}

// A signal goes to each process of the container once, and to no other.
func TestSignal(t *testing.T) {
	need.Cgroup(t, "pids")
	c, other := limited(t, pidsLimited()), limited(t, pidsLimited())
	p, q := born(t, c), born(t, other)
	require.NoError(t, c.Signal(unix.SIGTERM))
	soon(t, "it is dead", func() bool {
		pids, err := c.Procs(true)
		return err == nil && len(pids) == 0
	})
	require.Error(t, p.Wait())
	assert.Equal(t, unix.SIGTERM, p.ProcessState.Sys().(interface{ Signal() unix.Signal }).Signal())
	assert.Equal(t, "done", q.do("touch 1"))
	require.NoError(t, c.Signal(unix.SIGTERM), "nobody is left")
}

// A pid that must never be signalled is refused even if it were listed.
func TestSignalRefuses(t *testing.T) {
	for _, pid := range []int{-1, 0, 1} {
		err := (&Cgroup{Path: "/x"}).signalSome([]int{pid}, unix.SIGCONT)
		require.ErrorContains(t, err, "such a pid is never signalled")
	}
}

// nest makes a cgroup below the container's, as the container would.
func nest(t *testing.T, c *Cgroup, name string) {
	t.Helper()
	for _, p := range c.Places {
		require.NoError(t, os.Mkdir(filepath.Join(p.Dir, name), 0o755))
	}
}
