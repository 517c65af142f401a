//go:build linux

package cgroup

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lab/internal/need"
)

// memoryLimited has so many MiB of memory and no swap.
func memoryLimited(mib int64) *specs.LinuxResources {
	return &specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: new(mib << 20), Swap: new(mib << 20)},
	}
}

// Memory that is not there is not had, whoever waits is told, and told when the
// container is over.
func TestOOM(t *testing.T) {
	need.Cgroup(t, "memory")
	c := limited(t, memoryLimited(32))
	p := born(t, c)
	watch, err := c.WatchOOM()
	require.NoError(t, err)
	told := make(chan bool)
	go func() {
		for more := true; more; {
			happened, err := watch.Wait()
			more = assert.NoError(t, err) && happened
			told <- happened
		}
	}()
	assert.Equal(t, "done", p.do("touch 8"))
	select {
	case <-told:
		require.Fail(t, "told of an OOM that was none")
	default:
	}
	assert.Equal(t, "dead", p.do("touch 48"))
	assert.True(t, <-told)
	_ = p.Wait()
	require.NoError(t, c.Remove())
	for happened := range told {
		if !happened {
			break
		}
	}
	require.NoError(t, watch.Close())
}

func TestOOMWithoutMemory(t *testing.T) {
	_, err := (&Cgroup{Path: "/x"}).WatchOOM()
	require.EqualError(t, err, "watch for the OOM killer: cgroup /x: "+
		"the container has not joined the controller memory")
}

// What a container uses is seen in the numbers, which have the names that clients know.
func TestStats(t *testing.T) {
	need.Cgroup(t, "memory", "cpu", "pids")
	r := memoryLimited(64)
	r.Pids = pidsLimited().Pids
	r.CPU = &specs.LinuxCPU{Quota: new(int64(50000)), Period: new(uint64(100000))}
	c := limited(t, r)
	p := born(t, c)
	require.Equal(t, "done", p.do("touch 16"))

	s, err := c.Stats()
	require.NoError(t, err)
	assert.GreaterOrEqual(t, s.Memory.Usage.Usage, uint64(16<<20))
	assert.Equal(t, uint64(64<<20), s.Memory.Usage.Limit)
	assert.NotEmpty(t, s.Memory.Raw)
	assert.NotZero(t, s.Pids.Current)
	assert.Equal(t, uint64(100), s.Pids.Limit)
	assert.NotZero(t, s.CPU.Usage.Total)
	assert.LessOrEqual(t, s.CPU.Usage.User, s.CPU.Usage.Total)

	text, err := json.Marshal(s)
	require.NoError(t, err)
	var shape struct {
		CPU    struct{ Usage struct{ Total uint64 } }
		Memory struct {
			Usage struct{ Limit, Usage, Failcnt uint64 }
		}
		Pids struct{ Current, Limit uint64 }
	}
	require.NoError(t, json.Unmarshal(text, &shape))
	assert.Equal(t, s.Memory.Usage.Usage, shape.Memory.Usage.Usage)
}

// Without files that were joined there are no numbers, and a file that means
// something else is an error.
func TestStatsOfFiles(t *testing.T) {
	dir := t.TempDir()
	c := Cgroup{Places: []Place{{Version: 2, Dir: dir, Controllers: []string{
		"cpu", "memory", "pids", "io", "cpuset", "hugetlb",
	}}}}
	s, err := c.Stats()
	require.NoError(t, err)
	assert.Equal(t, Stats{Hugetlb: map[string]Hugetlb{}, Memory: Memory{
		Raw: map[string]uint64{}, Kernel: MemoryEntry{Limit: noLimit},
		KernelTCP: MemoryEntry{Limit: noLimit},
	}}, s)

	for file, text := range map[string]string{
		"cpu.stat": "usage_usec 5\nuser_usec 3\nsystem_usec 2\nnr_throttled 1\n",
		"cpu.pressure": "some avg10=1.50 avg60=0.00 avg300=0.00 total=42\n" +
			"full avg10=0.00 avg60=0.00 avg300=0.25 total=7\n",
		"io.stat":               "8:16 rbytes=4096 wbytes=1 rios=1 wios=0 dbytes=0 dios=0\n",
		"cpuset.cpus.effective": "0-1,3\n",
		"memory.current":        "100\n", "memory.max": "max\n", "memory.swap.max": "0\n",
		"hugetlb.2MB.current": "2097152\n", "hugetlb.2MB.events": "max 3\n",
		"pids.max": "max\n", "pids.current": "2\n",
	} {
		require.NoError(t, os.WriteFile(dir+"/"+file, []byte(text), 0o600))
	}
	s, err = c.Stats()
	require.NoError(t, err)
	assert.Equal(t, CPUUsage{Total: 5000, User: 3000, Kernel: 2000}, s.CPU.Usage)
	assert.Equal(t, &PSI{PSIData{1.5, 0, 0, 42}, PSIData{0, 0, 0.25, 7}}, s.CPU.PSI)
	assert.Equal(t, BlkioEntry{8, 16, "Read", 4096}, s.Blkio.IoServiceBytesRecursive[0])
	assert.Len(t, s.Blkio.IoServicedRecursive, 3)
	assert.Equal(t, []uint16{0, 1, 3}, s.CPUSet.CPUs)
	assert.Equal(t, uint64(noLimit), s.Memory.Swap.Limit)
	assert.Equal(t, Hugetlb{Usage: 2097152, Failcnt: 3}, s.Hugetlb["2MB"])
	assert.Equal(t, Pids{Current: 2}, s.Pids)

	require.NoError(t, os.WriteFile(dir+"/pids.current", []byte("many\n"), 0o600))
	_, err = c.Stats()
	require.ErrorContains(t, err, "read "+dir+"/pids.current: ")
}
