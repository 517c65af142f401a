package cgroup

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The three kinds of machines, by what their kernels say.
const (
	selfV1 = `11:rdma:/
10:hugetlb:/
9:net_cls,net_prio:/
8:pids:/
7:blkio:/
6:freezer:/
5:devices:/
4:memory:/
3:cpuset:/
2:cpu,cpuacct:/
1:name=systemd:/
`
	mountsV1 = `63 44 0:41 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
64 63 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
66 63 0:31 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset
67 63 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory
68 63 0:33 / /sys/fs/cgroup/devices rw,relatime - cgroup cgroup rw,devices
69 63 0:34 / /sys/fs/cgroup/freezer rw,relatime - cgroup cgroup rw,freezer
70 63 0:35 / /sys/fs/cgroup/blkio rw,relatime - cgroup cgroup rw,blkio
71 63 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
72 63 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
`
	mountsMoreV1 = `73 63 0:38 / /sys/fs/cgroup/hugetlb rw,relatime - cgroup cgroup rw,hugetlb
74 63 0:39 / /sys/fs/cgroup/rdma rw,relatime - cgroup cgroup rw,rdma
75 63 0:40 / /sys/fs/cgroup/net_cls,net_prio rw,relatime - cgroup cgroup rw,net_cls,net_prio
`
	mountUnified = "85 63 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
	mountV2      = "31 23 0:27 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
)

// hosts are the machines of the golden files, by name.
func hosts(t testing.TB) map[string]Host {
	t.Helper()
	v1, err := parseHost(mountsV1+mountsMoreV1, selfV1)
	require.NoError(t, err)
	hybrid, err := parseHost(mountsV1+mountUnified, selfV1+"0::/\n")
	require.NoError(t, err)
	hybrid.Hierarchies[len(hybrid.Hierarchies)-1].Controllers = []string{"hugetlb"}
	v2, err := parseHost(mountV2, "0::/user.slice/x.scope\n")
	require.NoError(t, err)
	v2.Hierarchies[0].Controllers = strings.Fields("cpuset cpu io memory hugetlb pids rdma misc")
	rootless := v2
	rootless.Rootless = true
	return map[string]Host{
		"v1": v1, "hybrid": hybrid, "v2": v2, "rootless": rootless, "none": {},
	}
}

func TestParseHost(t *testing.T) {
	all := hosts(t)
	assert.Len(t, all["v1"].Hierarchies, 11)
	assert.Equal(t, Hierarchy{
		Version: 1, Mount: "/sys/fs/cgroup/cpu,cpuacct", Root: "/", Own: "/",
		Controllers: []string{"cpu", "cpuacct"},
	}, all["v1"].Hierarchies[0])
	for controller, want := range map[string][3]int{
		"memory": {1, 1, 2}, "cpuacct": {1, 1, 0}, "hugetlb": {1, 2, 2}, "freezer": {1, 1, 2},
		"cgroup": {0, 2, 2}, "io": {0, 0, 2}, "none": {0, 0, 0}, "name=systemd": {1, 1, 0},
	} {
		got := [3]int{
			all["v1"].Version(controller), all["hybrid"].Version(controller),
			all["v2"].Version(controller),
		}
		assert.Equal(t, want, got, controller)
	}
}

// A hierarchy that is mounted twice counts once: the mount that shows this process's
// own cgroup, wherever it is.
func TestParseHostMountedTwice(t *testing.T) {
	h, err := parseHost(`1 0 0:3 /other /mnt\040x rw - cgroup cgroup rw,memory
2 0 0:3 /own /odd\040place rw - cgroup cgroup rw,memory
3 0 0:3 / /late rw - cgroup cgroup rw,memory
4 0 0:4 /../.. /outside rw - cgroup2 cgroup2 rw
5 0 0:4 / /inside rw - cgroup2 cgroup2 rw
`, "4:memory:/own/deep\n0::/\n")
	require.NoError(t, err)
	require.Len(t, h.Hierarchies, 2)
	dir, seen := h.Hierarchies[0].OwnDir()
	assert.True(t, seen)
	assert.Equal(t, "/odd place/deep", dir)
	assert.Equal(t, "/inside", h.Hierarchies[1].Mount)
}

func TestParseHostRefuses(t *testing.T) {
	_, err := parseHost("", "nonsense\n")
	require.ErrorContains(t, err, `read /proc/self/cgroup: "nonsense\n" has no three fields`)
}

func TestRequest(t *testing.T) {
	all := hosts(t)
	memory := Limits{Needed: []string{"memory"}}
	for _, tt := range []struct {
		name, host, path string
		limits           Limits
		want             []string // directory: controllers
	}{
		{"own name, only what is needed", "hybrid", "", memory, []string{
			"/sys/fs/cgroup/memory/minirun-web: memory",
			"/sys/fs/cgroup/freezer/minirun-web: freezer",
		}},
		{"a client's path, also what counts", "hybrid", "/a/../b//c", memory, []string{
			"/sys/fs/cgroup/cpu,cpuacct/b/c: cpu cpuacct", "/sys/fs/cgroup/memory/b/c: memory",
			"/sys/fs/cgroup/freezer/b/c: freezer", "/sys/fs/cgroup/blkio/b/c: blkio",
			"/sys/fs/cgroup/pids/b/c: pids",
		}},
		{
			"version 2 of the two only for what it has", "hybrid", "",
			Limits{Needed: []string{"hugetlb"}},
			[]string{
				"/sys/fs/cgroup/freezer/minirun-web: freezer",
				"/sys/fs/cgroup/unified/minirun-web: hugetlb",
			},
		},
		{"version 2", "v2", "", memory, []string{
			"/sys/fs/cgroup/minirun-web: memory freezer",
		}},
		{"relative to our own", "v2", "c", memory, []string{
			"/sys/fs/cgroup/user.slice/x.scope/c: memory freezer cpu pids io",
		}},
		{"never above our own", "v2", "../../c", Limits{}, []string{
			"/sys/fs/cgroup/user.slice/x.scope/c: freezer memory cpu pids io",
		}},
		{"of an ordinary user, below the own one", "rootless", "", Limits{}, []string{
			"/sys/fs/cgroup/user.slice/x.scope/minirun-web: freezer",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := all[tt.host].Request(tt.path, "web", tt.limits)
			require.NoError(t, err)
			places, err := all[tt.host].Places(r)
			require.NoError(t, err)
			var got []string
			for _, p := range places {
				got = append(got, p.Dir+": "+strings.Join(p.Controllers, " "))
			}
			assert.Equal(t, tt.want, got)
		})
	}
}

func TestRequestRefuses(t *testing.T) {
	all := hosts(t)
	for path, want := range map[string]string{
		"/": "is not a container's", "a/..": "is not a container's", "a\x00": "a zero byte",
	} {
		_, err := all["v2"].Request(path, "web", Limits{})
		require.ErrorContains(t, err, want)
	}
	_, err := Host{}.Places(Request{Path: "/x", Wished: []string{"freezer"}})
	require.EqualError(t, err, "cgroup /x: no cgroup is mounted in /proc/self/mountinfo")
	_, err = all["hybrid"].Places(Request{Path: "/x", Needed: []string{"gpu"}})
	var missing *MissingError
	require.ErrorAs(t, err, &missing)
	assert.Equal(t, "gpu", missing.Controller)
}

// FuzzParseHost: whatever the kernel says, there is no panic, and each controller is in
// one place.
func FuzzParseHost(f *testing.F) {
	f.Add(mountsV1+mountUnified, selfV1+"0::/\n")
	f.Add(mountV2, "0::/a\n")
	f.Add("1 0 0:3 /o /m\\040x rw - cgroup cgroup rw,a,b", "1:a:/x\n2:a,b:/..\n")
	f.Fuzz(func(t *testing.T, mounts, self string) {
		h, err := parseHost(mounts, self)
		if err != nil {
			return
		}
		for i, hierarchy := range h.Hierarchies {
			if dir, seen := hierarchy.OwnDir(); seen {
				assert.True(t, strings.HasPrefix(dir, filepath.Clean(hierarchy.Mount)), dir)
			}
			for _, other := range h.Hierarchies[:i] {
				assert.NotEqual(t, other.Controllers, hierarchy.Controllers)
			}
		}
	})
}
