package need

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// machine is a host whose /proc and /sys are files of a test.
func machine(t *testing.T, uid int, files map[string]string) host {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	return host{
		root: root, uid: uid,
		lookPath: func(string) (string, error) { return "", errors.New("not found") },
		writable: func(string) bool { return false },
	}
}

// A machine of systemd with version 1: controllers that are mounted together,
// options that are none, a name that is none.
var v1 = map[string]string{
	"/proc/self/mountinfo": `25 30 0:23 / /sys rw,nosuid - sysfs sysfs rw
33 25 0:28 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs ro,mode=755
35 33 0:30 / /sys/fs/cgroup/systemd rw shared:11 - cgroup cgroup rw,xattr,name=systemd
38 33 0:33 / /sys/fs/cgroup/cpu,cpuacct rw shared:16 - cgroup cgroup rw,cpu,cpuacct
39 33 0:34 / /sys/fs/cgroup/memory rw shared:17 - cgroup cgroup rw,clone_children,memory
`,
	"/proc/self/cgroup": `12:memory:/user.slice
5:cpu,cpuacct:/user.slice
1:name=systemd:/user.slice/user-1000.slice/session-2.scope
`,
}

var hybrid = map[string]string{
	"/proc/self/mountinfo": `31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
35 31 0:32 / /groups/of\040memory rw - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
`,
	"/proc/self/cgroup":                         "4:memory:/web\n1:cpu:/\n0::/\n",
	"/sys/fs/cgroup/unified/cgroup.controllers": "hugetlb\n",
}

// A user's scope on a machine with version 2.
var v2 = map[string]string{
	"/proc/self/mountinfo": `30 23 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate
`,
	"/proc/self/cgroup": "0::/user.slice/user@1000.service/app.slice/run-7.scope\n",

	"/sys/fs/cgroup/cgroup.controllers": "cpuset cpu io memory pids\n",
}

func TestCgroups(t *testing.T) {
	for name, c := range map[string]struct {
		files       map[string]string
		mode        string
		controllers map[string]Controller
	}{
		"v1": {v1, "v1", map[string]Controller{
			"cpu":     {1, "/sys/fs/cgroup/cpu,cpuacct", "/proc/self/mountinfo"},
			"cpuacct": {1, "/sys/fs/cgroup/cpu,cpuacct", "/proc/self/mountinfo"},
			"memory":  {1, "/sys/fs/cgroup/memory", "/proc/self/mountinfo"},
		}},
		"hybrid, and a mount whose name says nothing": {hybrid, "hybrid", map[string]Controller{
			"memory":  {1, "/groups/of memory", "/proc/self/mountinfo"},
			"hugetlb": {2, "/sys/fs/cgroup/unified", "/sys/fs/cgroup/unified/cgroup.controllers"},
		}},
		"v2": {v2, "v2", map[string]Controller{
			"cpuset": {2, "/sys/fs/cgroup", "/sys/fs/cgroup/cgroup.controllers"},
			"cpu":    {2, "/sys/fs/cgroup", "/sys/fs/cgroup/cgroup.controllers"},
			"io":     {2, "/sys/fs/cgroup", "/sys/fs/cgroup/cgroup.controllers"},
			"memory": {2, "/sys/fs/cgroup", "/sys/fs/cgroup/cgroup.controllers"},
			"pids":   {2, "/sys/fs/cgroup", "/sys/fs/cgroup/cgroup.controllers"},
		}},
		"none": {map[string]string{
			"/proc/self/mountinfo": "25 30 0:23 / /sys rw - sysfs sysfs rw\n",
			"/proc/self/cgroup":    "0::/\n",
		}, "none", map[string]Controller{}},
		"nothing to read": {nil, "none", map[string]Controller{}},
	} {
		t.Run(name, func(t *testing.T) {
			got := machine(t, 1000, c.files).cgroups()
			assert.Equal(t, c.mode, got.Mode)
			assert.Equal(t, c.controllers, got.Controllers)
			assert.Empty(t, got.Delegated)
		})
	}
}

func TestOwnDir(t *testing.T) {
	for name, c := range map[string]struct {
		mount, root, own string
		want             string
		ok               bool
	}{
		"the machine":                      {"/cg", "/", "/a/b", "/cg/a/b", true},
		"at the top":                       {"/cg", "/", "/", "/cg", true},
		"a container of the host's cgroup": {"/cg", "/docker/7", "/docker/7/x", "/cg/x", true},
		"its top":                          {"/cg", "/docker/7", "/docker/7", "/cg", true},
		"a name that begins alike":         {"/cg", "/docker/7", "/docker/77", "", false},
		"outside of the namespace":         {"/cg", "/", "/../other", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			dir, ok := Hierarchy{Mount: c.mount, Root: c.root, Own: c.own}.OwnDir()
			assert.Equal(t, c.ok, ok)
			assert.Equal(t, c.want, dir)
		})
	}
}

// Of several mounts of a hierarchy the first counts that was made in this
// cgroup namespace; one from outside of it, if there is no other.
func TestCoveredMounts(t *testing.T) {
	h := machine(t, 0, map[string]string{
		"/proc/self/mountinfo": `29 23 0:25 /../.. /sys/fs/cgroup/memory rw - cgroup cg rw,memory
30 23 0:26 /../.. /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
66 65 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
67 65 0:26 / /elsewhere rw - cgroup2 cgroup2 rw
`,
		"/proc/self/cgroup": "4:memory:/\n0::/tests\n",
	})
	got, err := h.hierarchies()
	require.NoError(t, err)
	assert.Equal(t, []Hierarchy{
		{
			Version: 1, Mount: "/sys/fs/cgroup/memory", Root: "/../..", Own: "/",
			Controllers: []string{"memory"},
		},
		{Version: 2, Mount: "/sys/fs/cgroup/unified", Root: "/", Own: "/tests"},
	}, got)
	_, ok := got[0].OwnDir()
	assert.False(t, ok)
}

func TestBrokenFiles(t *testing.T) {
	h := machine(t, 0, map[string]string{
		"/proc/self/cgroup": "no colons\n", "/proc/self/mountinfo": "",
	})
	_, err := h.hierarchies()
	require.ErrorContains(t, err, `"no colons" has no three fields`)
	h = machine(t, 0, map[string]string{
		"/proc/self/cgroup": "0::/\n", "/proc/self/mountinfo": "1 2 3\n",
	})
	_, err = h.hierarchies()
	assert.ErrorContains(t, err, "read own mounts")
}

// systemd hands a user a scope: directory, cgroup.procs and subtree_control
// are the user's. A leaf in which the user is alone is the same, one up.
func TestDelegated(t *testing.T) {
	const slice = "/sys/fs/cgroup/user.slice/user@1000.service/app.slice"
	const scope = slice + "/run-7.scope"
	handedOut := func(dir string) []string {
		return []string{dir, dir + "/cgroup.procs", dir + "/cgroup.subtree_control"}
	}
	for name, c := range map[string]struct {
		uid  int
		ours []string
		want string
	}{
		"a delegated scope":                    {1000, handedOut(scope), scope},
		"the slice around it":                  {1000, handedOut(slice), slice},
		"a directory, but not its controllers": {1000, handedOut(scope)[:2], ""},
		"nothing":                              {1000, nil, ""},
		"root needs none":                      {0, handedOut(scope), ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := machine(t, c.uid, v2)
			h.writable = func(path string) bool {
				return slices.ContainsFunc(c.ours, func(ours string) bool {
					return path == h.path(ours)
				})
			}
			assert.Equal(t, c.want, h.cgroups().Delegated)
		})
	}
}

func TestUserNamespaces(t *testing.T) {
	const kernelHasThem = "/proc/self/ns/user"
	for name, c := range map[string]struct {
		uid   int
		files map[string]string
		want  Ability
	}{
		"allowed": {1000, map[string]string{
			kernelHasThem: "", "/proc/sys/user/max_user_namespaces": "96365\n",
			"/proc/sys/kernel/unprivileged_userns_clone":             "1\n",
			"/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "0\n",
		}, Ability{OK: true, Why: "no setting forbids it"}},
		"Debian's old setting": {1000, map[string]string{
			kernelHasThem: "", "/proc/sys/kernel/unprivileged_userns_clone": "0\n",
		}, Ability{
			Why:     "kernel.unprivileged_userns_clone is 0",
			Setting: "kernel.unprivileged_userns_clone", Value: "1",
		}},
		"AppArmor's restriction": {1000, map[string]string{
			kernelHasThem: "", "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1\n",
		}, Ability{
			Why:     "kernel.apparmor_restrict_unprivileged_userns is 1",
			Setting: "kernel.apparmor_restrict_unprivileged_userns", Value: "0",
		}},
		"which is not root's": {0, map[string]string{
			kernelHasThem: "", "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1\n",
			"/proc/sys/kernel/unprivileged_userns_clone": "0\n",
		}, Ability{OK: true, Why: "no setting forbids it"}},
		"none for anybody": {0, map[string]string{
			kernelHasThem: "", "/proc/sys/user/max_user_namespaces": "0\n",
		}, Ability{
			Why:     "user.max_user_namespaces is 0",
			Setting: "user.max_user_namespaces", Value: "10000",
		}},
		"not in the kernel": {0, nil, Ability{Why: "the kernel is built without CONFIG_USER_NS"}},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.want, machine(t, c.uid, c.files).userNS())
		})
	}
}

func TestOverlayIsFound(t *testing.T) {
	const release = "/proc/sys/kernel/osrelease"
	for name, c := range map[string]struct {
		files map[string]string
		ok    bool
		why   string
	}{
		"registered": {map[string]string{
			"/proc/filesystems": "nodev\tproc\nnodev\toverlay\n\text4\n",
		}, true, "listed in /proc/filesystems"},
		"a module": {map[string]string{
			release:                          "6.1.0\n",
			"/lib/modules/6.1.0/modules.dep": "kernel/fs/overlayfs/overlay.ko:\n",
		}, true, "listed in /lib/modules/6.1.0/modules.dep"},
		"missing": {map[string]string{
			release: "6.1.0\n", "/lib/modules/6.1.0/modules.dep": "",
			"/proc/filesystems": "\text4\n",
		}, false, "overlay is neither in /proc/filesystems nor a module of this kernel"},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, Ability{OK: c.ok, Why: c.why}, machine(t, 0, c.files).overlay())
		})
	}
}

func TestRootIsMoreThanAnID(t *testing.T) {
	const all = "Name:\tx\nCapEff:\t000001fffeffffff\n"
	const few = "Name:\tx\nCapEff:\t00000000a80425fb\n"
	for name, c := range map[string]struct {
		uid            int
		status, uidMap string
		root, real     bool
	}{
		"the machine's root":     {0, all, "         0          0 4294967295\n", true, true},
		"of a user namespace":    {0, all, "         0       1000          1\n", true, false},
		"of a container":         {0, few, "         0          0 4294967295\n", false, false},
		"a user":                 {1000, few, "         0          0 4294967295\n", false, false},
		"a user with capability": {1000, all, "         0          0 4294967295\n", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			h := machine(t, c.uid, map[string]string{
				"/proc/self/status": c.status, "/proc/self/uid_map": c.uidMap,
			})
			facts := h.look()
			assert.Equal(t, c.root, facts.Root)
			assert.Equal(t, c.real, facts.RealRoot)
		})
	}
}

func TestLookFixture(t *testing.T) {
	files := map[string]string{
		"/proc/sys/kernel/osrelease": "6.1.0-56-cloud-amd64\n",
		"/proc/self/ns/user":         "", "/proc/self/ns/net": "",
		"/run/systemd/system/x": "",
	}
	maps.Copy(files, v2)
	files["/proc/self/mountinfo"] += "60 27 0:50 / /run rw - tmpfs lab-sandbox rw\n"
	h := machine(t, 1000, files)
	h.lookPath = func(tool string) (string, error) {
		if tool == "nft" {
			return "/usr/sbin/nft", nil
		}
		return "", errors.New("not found")
	}
	facts := h.look()
	assert.Equal(t, "6.1.0-56-cloud-amd64", facts.Kernel)
	assert.Equal(t, map[string]string{"nft": "/usr/sbin/nft"}, facts.Tools)
	assert.True(t, facts.Systemd)
	assert.True(t, facts.Sandbox)
	assert.True(t, facts.Namespaces["net"])
	assert.False(t, facts.Namespaces["time"])
}

// The facts of the machine that runs the test agree with what can be seen
// otherwise.
func TestLook(t *testing.T) {
	facts := Look()
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	require.NoError(t, err)
	assert.Equal(t, strings.TrimSpace(string(release)), facts.Kernel)
	assert.Equal(t, os.Geteuid(), facts.UID)
	for name, c := range facts.Cgroups.Controllers {
		if c.Version == 1 {
			assert.FileExists(t, filepath.Join(c.Mount, "cgroup.procs"), name)
			continue
		}
		text, err := os.ReadFile(c.Source)
		require.NoError(t, err)
		assert.Contains(t, strings.Fields(string(text)), name)
	}
	for _, tool := range facts.Tools {
		assert.FileExists(t, tool)
	}
}
