package plan_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lab/final/internal/cgroup"
	"lab/final/internal/plan"
	"lab/final/internal/spec"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the plans that are expected")

// v1 is a machine with the hierarchies of version 1 that a container needs.
func v1() plan.Host {
	return host(
		cgroup.Hierarchy{
			Version: 1, Mount: "/sys/fs/cgroup/memory", Root: "/", Own: "/",
			Controllers: []string{"memory"},
		},
		cgroup.Hierarchy{
			Version: 1, Mount: "/sys/fs/cgroup/cpu,cpuacct", Root: "/", Own: "/",
			Controllers: []string{"cpu", "cpuacct"},
		},
		cgroup.Hierarchy{
			Version: 1, Mount: "/sys/fs/cgroup/pids", Root: "/", Own: "/",
			Controllers: []string{"pids"},
		},
		cgroup.Hierarchy{
			Version: 1, Mount: "/sys/fs/cgroup/devices", Root: "/", Own: "/",
			Controllers: []string{"devices"},
		},
		cgroup.Hierarchy{
			Version: 1, Mount: "/sys/fs/cgroup/freezer", Root: "/", Own: "/",
			Controllers: []string{"freezer"},
		},
	)
}

// v2 is a machine with the one tree of version 2.
func v2() plan.Host {
	return host(cgroup.Hierarchy{
		Version: 2, Mount: "/sys/fs/cgroup", Root: "/", Own: "/",
		Controllers: []string{"cpu", "memory", "pids", "io", "cpuset"},
	})
}

// host is a machine of ours with these cgroups.
func host(all ...cgroup.Hierarchy) plan.Host {
	return plan.Host{Cgroups: cgroup.Host{Hierarchies: all}, Caps: 1<<41 - 1}
}

// scoped is a machine that systemd runs.
func scoped(h plan.Host) plan.Host {
	h.Cgroups.Systemd = true
	return h
}

// rootless is a machine of which an ordinary user runs minirun.
func rootless() plan.Host {
	h := v2()
	h.UID, h.Rootless, h.Cgroups.Rootless = 1000, true, true
	return h
}

// ask loads one of the configurations in testdata.
func ask(t testing.TB, name string) *spec.Container {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	require.NoError(t, err)
	config, err := spec.Parse(text)
	require.NoError(t, err)
	return &spec.Container{ID: "web", Bundle: "/bundle", Config: config}
}

func TestPlans(t *testing.T) {
	for _, test := range []struct {
		name, config string
		host         plan.Host
		change       func(*spec.Container)
	}{
		{"default on v1", "default", v1(), nil},
		{"default on v2", "default", v2(), nil},
		{"rootless", "rootless", rootless(), nil},
		{"user namespace", "userns", v2(), nil},
		{"joins by path", "joins", v2(), nil},
		{"read-only", "readonly", v2(), nil},
		{"limits on v1", "limits", v1(), nil},
		{"limits on v2", "limits", v2(), nil},
		{"hooks", "hooks", v2(), nil},
		{"volumes", "volumes", v2(), nil},
		{"terminal", "terminal", v2(), nil},
		{"process", "process", v2(), nil},
		{"a scope of systemd", "limits", scoped(v2()), func(c *spec.Container) {
			c.SystemdCgroup, c.Config.Linux.CgroupsPath = true, "machine.slice:lab:web"
			// Its user sees it, and may make cgroups there.
			c.Config.Process.User.UID = 7
			for i := range c.Config.Mounts {
				c.Config.Mounts[i].Options = nil
			}
		}},
		{"no pivot", "readonly", v2(), func(c *spec.Container) {
			c.NoPivot, c.NoNewKeyring, c.PreserveFDs = true, true, 2
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			request := ask(t, test.config)
			if test.change != nil {
				test.change(request)
			}
			p, err := plan.Compile(request, test.host)
			require.NoError(t, err)
			var b bytes.Buffer
			require.NoError(t, p.Print(&b))
			golden(t, strings.ReplaceAll(test.name, " ", "-")+".plan", b.String())
		})
	}
}

// golden compares with what is expected, or with -update writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(want), got, "go test ./final/internal/plan -update")
}

// What init is sent is what was compiled.
func TestOperationsTravel(t *testing.T) {
	for _, name := range []string{"default", "hooks", "process", "volumes", "terminal"} {
		p, err := plan.Compile(ask(t, name), v2())
		require.NoError(t, err)
		ops := plan.Of(plan.Init, p.All())
		text, err := plan.Encode(ops)
		require.NoError(t, err)
		back, err := plan.Decode(text)
		require.NoError(t, err)
		require.Len(t, back, len(ops))
		for i, op := range ops {
			op.Title, op.Slot = "", ""
			assert.Equal(t, op, back[i])
		}
	}
}

// Every operation has its words, and every error a name to begin with.
func TestWords(t *testing.T) {
	p, err := plan.Compile(ask(t, "process"), v1())
	require.NoError(t, err)
	for _, e := range p.Entries() {
		assert.NotEmpty(t, e.Does, e.Kind)
		assert.NotEmpty(t, e.Call, e.Kind)
		assert.Regexp(t, `^[\w.-]+\(\d\w*\)$`, e.Man, e.Kind)
	}
}

// What cannot be done is refused by name, before anything is done.
func TestRefused(t *testing.T) {
	for _, test := range []struct{ name, config, want string }{
		{
			"idmap", `"mounts":[{"destination":"/a","source":"/b","options":["bind","idmap"]}]`,
			".mounts[0]: /a: ids are to be mapped, and there are no maps of its own",
		},
		{
			"idmap of a new one", `"mounts":[{"destination":"/a","type":"p","options":["idmap"]}]`,
			".mounts[0]: /a: only a bind mount can have ids mapped",
		},
		{
			"copy up", `"mounts":[{"destination":"/a","type":"proc","options":["tmpcopyup"]}]`,
			"this is no tmpfs but proc",
		},
		{
			"recursive", `"mounts":[{"destination":"/a","type":"tmpfs","options":["rro"]}]`,
			"are for binds",
		},
		{
			"rdt", `"x":{},"linux":{"namespaces":[{"type":"mount"}],"intelRdt":{}}`,
			".linux.intelRdt: not supported",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := `{"ociVersion":"1.2.0","root":{"path":"r"},` +
				`"process":{"args":["a"],"cwd":"/"},` +
				`"linux":{"namespaces":[{"type":"mount"}]},` + test.config + `}`
			config, err := spec.Parse([]byte(text))
			if err == nil {
				_, err = plan.Compile(&spec.Container{ID: "web", Config: config}, v2())
			}
			assert.ErrorContains(t, err, test.want)
		})
	}
}

// Whatever a configuration says, there is a plan or an error.
func FuzzCompile(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
	require.NoError(f, err)
	for _, name := range files {
		text, err := os.ReadFile(name)
		require.NoError(f, err)
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		config, err := spec.Parse(text)
		if err != nil {
			return
		}
		for _, h := range []plan.Host{v1(), v2(), rootless(), {}} {
			p, err := plan.Compile(&spec.Container{ID: "web", Bundle: "/b", Config: config}, h)
			if err != nil {
				continue
			}
			require.NoError(t, p.Print(&bytes.Buffer{}))
			last := p.Start[len(p.Start)-1]
			assert.Contains(t, []string{"Exec", "Hooks"}, plan.Kind(last.Do))
		}
	})
}

// Of variables with one name the last counts: engines add what they are asked for.
func TestLastVariableCounts(t *testing.T) {
	c := ask(t, "default")
	c.Config.Process.Env = []string{"A=image", "B=1", "A=asked"}
	p, err := plan.Compile(c, v1())
	require.NoError(t, err)
	for _, op := range p.Start {
		if last, is := op.Do.(plan.Exec); is {
			assert.Equal(t, []string{"A=asked", "B=1"}, last.Env)
			return
		}
	}
	t.Fatal("nothing is executed")
}

// Version 2 comes along with the host's /sys, and cannot be mounted at its place once more.
func TestCgroupsBelowBoundSys(t *testing.T) {
	for _, bound := range []bool{false, true} {
		c := ask(t, "default")
		c.Config.Linux.Namespaces = append(c.Config.Linux.Namespaces,
			specs.LinuxNamespace{Type: specs.CgroupNamespace})
		for i, m := range c.Config.Mounts {
			if bound && m.Destination == "/sys" {
				c.Config.Mounts[i] = specs.Mount{
					Destination: "/sys", Source: "/sys", Type: "bind", Options: []string{"rbind"},
				}
			}
		}
		p, err := plan.Compile(c, v2())
		require.NoError(t, err)
		mounts, binds := 0, 0
		for _, op := range p.Create {
			switch a := op.Do.(type) {
			case plan.Mount:
				if a.Type == "cgroup2" {
					mounts++
				}
			case plan.Bind:
				if strings.HasSuffix(a.Target, "/sys/fs/cgroup") {
					binds++
				}
			}
		}
		want := map[bool][]int{false: {1, 0}, true: {0, 1}}[bound]
		assert.Equal(t, want, []int{mounts, binds}, "bound %t", bound)
	}
}

// A process that is added computes where it is told to, before and after its birth, and
// is confined as init is unless it says how.
func TestAdded(t *testing.T) {
	request := ask(t, "process")
	process := *request.Config.Process
	process.ApparmorProfile = ""
	process.SelinuxLabel = "system_u:system_r:other_t:s0"
	process.ExecCPUAffinity = &specs.CPUAffinity{Initial: "0-1", Final: "2"}
	p, err := plan.CompileExec(request, &process, 4711, v2())
	require.NoError(t, err)
	var did []plan.Action
	for _, op := range p.All() {
		switch op.Do.(type) {
		case plan.Affinity, plan.Require, plan.Clone, plan.Label, plan.Exec:
			did = append(did, op.Do)
		}
	}
	assert.Equal(t, []plan.Action{
		plan.Require{Module: plan.AppArmor},
		plan.Require{Module: plan.SELinux},
		plan.Affinity{CPUs: "0-1"},
		plan.Clone{},
		plan.Affinity{CPUs: "2"},
		plan.Label{Module: plan.AppArmor, Text: "lab-default"},
		plan.Label{Module: plan.SELinux, Text: "system_u:system_r:other_t:s0"},
		plan.Exec{Args: process.Args, Env: process.Env},
	}, did)
}
