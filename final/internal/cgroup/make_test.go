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

// Two containers share a cgroup above theirs: it goes with the last, whoever made it.
func TestSharedParent(t *testing.T) {
	need.Cgroup(t, "pids")
	need.Sandbox(t)
	h, err := ReadHost()
	require.NoError(t, err)
	var two []*Cgroup
	above := "/" + name(t) + "/pod/"
	for _, last := range []string{"one", "two"} {
		r, err := h.Request(above+last, "", Limits{Needed: []string{"pids"}})
		require.NoError(t, err)
		c, err := Make(h, r)
		require.NoError(t, err)
		two = append(two, again(t, c))
	}
	parent := filepath.Dir(two[0].Places[0].Dir)
	require.NoError(t, two[0].Remove())
	assert.NoDirExists(t, two[0].Places[0].Dir)
	assert.DirExists(t, parent)
	require.NoError(t, two[1].Remove())
	for _, p := range two[0].Places {
		assert.NoDirExists(t, filepath.Dir(filepath.Dir(p.Dir)))
	}
}

// A cgroup above that somebody else has made stays as it was.
func TestForeignParent(t *testing.T) {
	need.Cgroup(t, "pids")
	need.Sandbox(t)
	h, err := ReadHost()
	require.NoError(t, err)
	r, err := h.Request("/"+name(t)+"/web", "", Limits{Needed: []string{"pids"}})
	require.NoError(t, err)
	places, err := h.Places(r)
	require.NoError(t, err)
	for _, p := range places {
		parent := filepath.Dir(p.Dir)
		require.NoError(t, os.Mkdir(parent, 0o755))
		t.Cleanup(func() { require.NoError(t, os.Remove(parent)) })
	}
	c, err := Make(h, r)
	require.NoError(t, err)
	require.NoError(t, c.Remove())
	for _, p := range places {
		assert.DirExists(t, filepath.Dir(p.Dir))
	}
}

// Processes that are not the container's are not taken over.
func TestMakeRefuses(t *testing.T) {
	need.Cgroup(t, "pids")
	c := limited(t, pidsLimited())
	p := born(t, c)
	h, err := ReadHost()
	require.NoError(t, err)
	r := Request{Path: c.Path, Needed: []string{"pids"}}
	_, err = Make(h, r)
	require.ErrorContains(t, err, "is in it, which is not the container's")
	r.Path, r.Needed = "/"+name(t)+"-none", []string{"gpu"}
	_, err = Make(h, r)
	require.ErrorContains(t, err, "needs the cgroup controller gpu")
	assert.Equal(t, "done", p.do("touch 1"))
}

// A hierarchy in which we may not make anything is left out if it was only wished for.
func TestMakeWithoutPermission(t *testing.T) {
	need.Cgroup(t, "pids")
	need.Sandbox(t)
	h, err := ReadHost()
	require.NoError(t, err)
	// Nobody makes a directory in sysfs.
	forbidden := Hierarchy{Version: 1, Mount: "/sys", Root: "/", Controllers: []string{"gpu"}}
	h.Hierarchies = append([]Hierarchy{forbidden}, h.Hierarchies...)
	r := Request{Path: "/" + name(t), Needed: []string{"pids"}, Wished: []string{"gpu"}}
	c, err := Make(h, r)
	require.NoError(t, err)
	require.Len(t, c.Places, 1)
	require.NoError(t, c.Remove())
	r.Needed = []string{"pids", "gpu"}
	_, err = Make(h, r)
	require.ErrorIs(t, err, os.ErrPermission)
	r.Needed = nil
	_, err = Make(h, r)
	require.ErrorIs(t, err, os.ErrPermission)
}

// A runtime that was killed before Make came to an end has noted where the cgroup was to
// be. If that is somebody else's, nothing there is killed or removed; if Make was there
// already, all is.
func TestIntended(t *testing.T) {
	need.Cgroup(t, "pids")
	c := limited(t, pidsLimited())
	p := born(t, c)
	intended := &Cgroup{Path: c.Path, Places: c.Places}
	for _, place := range c.Places {
		require.NoError(t, unix.Removexattr(place.Dir, markName))
	}
	require.NoError(t, intended.Kill())
	require.NoError(t, intended.Signal(unix.SIGKILL))
	require.NoError(t, intended.Remove())
	assert.Equal(t, "done", p.do("touch 1"))
	for _, place := range c.Places { // that of another container's does not count either
		require.NoError(t, unix.Setxattr(place.Dir, markName, []byte("another"), 0))
	}
	require.NoError(t, intended.Kill())
	assert.Equal(t, "done", p.do("touch 1"))
	for _, place := range c.Places {
		place.mark(place.Dir)
	}
	require.NoError(t, intended.Kill())
	require.NoError(t, intended.Remove())
	for _, place := range c.Places {
		assert.NoDirExists(t, place.Dir)
	}
}

// Remove waits for the last process, and says who stays.
func TestRemove(t *testing.T) {
	need.Cgroup(t, "pids")
	c := limited(t, pidsLimited())
	p := born(t, c)
	nest(t, c, "deep")
	nest(t, c, "deep/er")
	err := removeTree(c.Places[0].Dir, time.Now())
	require.ErrorIs(t, err, unix.EBUSY)
	require.ErrorContains(t, err, "process ")
	done := make(chan error)
	go func() { done <- c.Remove() }()
	require.NoError(t, p.Process.Kill())
	_ = p.Wait()
	require.NoError(t, <-done)
}

// Limits of a container that runs are raised and lowered in whatever order that takes.
func TestUpdate(t *testing.T) {
	need.Cgroup(t, "memory", "cpu")
	c := limited(t, &specs.LinuxResources{
		Memory: memoryLimited(64).Memory,
		CPU:    &specs.LinuxCPU{Quota: new(int64(50000)), Period: new(uint64(100000))},
	})
	born(t, c)
	h, err := ReadHost()
	require.NoError(t, err)
	for _, mib := range []int64{128, 32, 64} {
		r := memoryLimited(mib)
		r.CPU = &specs.LinuxCPU{
			Quota: new(mib * 1000), Period: new(uint64(200000)), Burst: new(uint64(mib * 500)),
		}
		l, err := Compile(r, h)
		require.NoError(t, err)
		require.NoError(t, c.Update(l.Writes), "to %d MiB", mib)
		s, err := c.Stats()
		require.NoError(t, err)
		assert.Equal(t, uint64(mib<<20), s.Memory.Usage.Limit)
	}
}

// A limit below what is used is refused where the kernel would kill for it.
func TestUpdateChecks(t *testing.T) {
	need.Cgroup(t, "memory")
	c := limited(t, memoryLimited(64))
	p := born(t, c)
	require.Equal(t, "done", p.do("touch 24"))
	h, err := ReadHost()
	require.NoError(t, err)
	l, err := Compile(&specs.LinuxResources{Memory: &specs.LinuxMemory{
		Limit: new(int64(8 << 20)), CheckBeforeUpdate: new(true),
	}}, h)
	require.NoError(t, err)
	err = c.Update(l.Writes)
	require.ErrorIs(t, err, unix.EBUSY)
	require.ErrorContains(t, err, "linux.resources.memory.limit 8388608: ")
	assert.Equal(t, "done", p.do("touch 1"))
}

// A write to a controller that was not joined, or to a file that is not there, says so.
func TestWriteRefuses(t *testing.T) {
	need.Cgroup(t, "pids")
	c := limited(t, pidsLimited())
	err := c.Write(Write{Controller: "gpu", From: "linux.resources.unified gpu.max"})
	require.ErrorContains(t, err, "has not joined the controller gpu")
	w := Write{Controller: "pids", File: "pids.none", Value: "1", From: "unified pids.none"}
	err = c.Write(w)
	require.ErrorContains(t, err, "unified pids.none: this kernel has no pids.none: ")
	w.Instead = &Write{Controller: "pids", File: "pids.max", Value: "77", From: "x"}
	require.NoError(t, c.Write(w))
	assert.Equal(t, "77", file(t, c, "pids", "pids.max"))
	require.NoError(t, c.Write(Write{Controller: "pids", File: "pids.none", Optional: true}))
}

// One list of a cpuset is enough: the other one is the parent's.
func TestCpuset(t *testing.T) {
	need.Sandbox(t)
	h, err := ReadHost()
	require.NoError(t, err)
	if h.Version("cpuset") != 1 {
		need.Cgroup(t, "memory") // as root, with cgroups of its own
	}
	need.RealRoot(t)
	c := limited(t, &specs.LinuxResources{CPU: &specs.LinuxCPU{Cpus: "0"}})
	p := born(t, c)
	assert.Equal(t, "0", file(t, c, "cpuset", "cpuset.cpus"))
	assert.Equal(t, "done", p.do("touch 1"))
	s, err := c.Stats()
	require.NoError(t, err)
	assert.Equal(t, []uint16{0}, s.CPUSet.CPUs)
	assert.NotEmpty(t, s.CPUSet.Mems)
}
