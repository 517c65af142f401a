//go:build linux

package cgroup

import (
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lab/internal/need"
)

// A process is in the container's cgroup of every hierarchy that matters from its
// first breath, and nowhere else.
func TestBirth(t *testing.T) {
	need.Cgroup(t, "memory", "pids")
	c := limited(t, &specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: new(int64(64 << 20))},
		Pids:   &specs.LinuxPids{Limit: new(int64(50))},
	})
	p := born(t, c)

	joined := map[string]bool{}
	for _, place := range c.Places {
		for _, controller := range place.Controllers {
			joined[controller] = true
		}
	}
	for list, path := range cgroups(t, p.Process.Pid) {
		in := joined[strings.Split(list, ",")[0]] || list == "" && c.Places[0].Version == 2
		assert.Equal(t, in, strings.HasSuffix(path, c.Path), "%s is in %s", list, path)
	}
	pids, err := c.Procs(false)
	require.NoError(t, err)
	assert.Equal(t, []int{p.Process.Pid}, pids)
	assert.Equal(t, "50", file(t, c, "pids", "pids.max"))
}

// What the kernel refuses to start is not started: the cgroup is full.
func TestLimitAtBirth(t *testing.T) {
	need.Cgroup(t, "memory", "pids")
	c := limited(t, &specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: new(int64(64 << 20)), Swap: new(int64(64 << 20))},
	})
	p := born(t, c)
	assert.Equal(t, "done", p.do("touch 16"))
	assert.Equal(t, "dead", p.do("touch 80"))
}
