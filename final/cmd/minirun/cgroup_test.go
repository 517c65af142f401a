package main_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"lab/internal/need"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// What is done to the cgroup of a container, as the kernel's own files tell it.
func TestCgroups(t *testing.T) {
	need.Cgroup(t, "cpu", "memory", "pids")
	for _, test := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"update keeps what it does not name", updateKeeps},
		{"update joins a controller", updateJoins},
		{"update that is refused changes nothing", updateRefused},
		{"pause and resume", pauses},
		{"a paused container is removed", removesPaused},
		{"kill all", killsAll},
		{"events", tellsOOM},
		{"a cgroup in use is refused", refusesUsed},
		{"exec where init is", execsBeside},
		{"its owner", owns},
		{"a limit too low for init", starves},
	} {
		t.Run(test.name, test.run)
	}
}

// limited is an engine whose container has a cgroup of its own, with these limits.
func limited(t *testing.T, limits specs.LinuxResources, command ...string) *engine {
	t.Helper()
	e := newEngine(t, command...)
	e.config.Linux.CgroupsPath = "/lab-pod/" + filepath.Base(e.bundle)
	e.config.Linux.Resources = &limits
	return e
}

// group is the directory of a process's cgroup in the hierarchy that has a controller.
//
//	4:memory:/lab-limits
//	0::/lab-limits
func group(t *testing.T, pid int, controller string) (dir string, version int) {
	t.Helper()
	hierarchies, err := need.Hierarchies()
	require.NoError(t, err)
	has := func(h need.Hierarchy) bool { return h.Has(controller) }
	i := slices.IndexFunc(hierarchies, has)
	if i < 0 { // freezing is what any cgroup of version 2 can do
		i = len(hierarchies) - 1
	}
	h := hierarchies[i]
	list := strings.Join(h.Controllers, ",")
	if h.Version == 2 {
		list = ""
	}
	for line := range strings.Lines(proc(t, pid, "cgroup")) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if fields[1] == list {
			return filepath.Join(h.Mount, fields[2]), h.Version
		}
	}
	t.Fatalf("process %d is in no cgroup for %s", pid, controller)
	return "", 0
}

// held reads what a file of a process's cgroup holds: v1 names it on version 1.
func held(t *testing.T, pid int, controller, v1, v2 string) string {
	t.Helper()
	dir, version := group(t, pid, controller)
	text, err := os.ReadFile(filepath.Join(dir, map[int]string{1: v1, 2: v2}[version]))
	require.NoError(t, err)
	return strings.TrimSpace(string(text))
}

// quota is the time of the processors, as version 2 has it in one file.
func quota(t *testing.T, pid int) string {
	t.Helper()
	if _, version := group(t, pid, "cpu"); version == 2 {
		return held(t, pid, "cpu", "", "cpu.max")
	}
	return held(t, pid, "cpu", "cpu.cfs_quota_us", "") + " " +
		held(t, pid, "cpu", "cpu.cfs_period_us", "")
}

func updateKeeps(t *testing.T) {
	e := limited(t, specs.LinuxResources{
		CPU:  &specs.LinuxCPU{Quota: new(int64(50000)), Period: new(uint64(100000))},
		Pids: &specs.LinuxPids{Limit: new(int64(60))},
	}, "sleep", "1000")
	pid := e.begin()
	assert.Equal(t, "50000 100000", quota(t, pid))
	e.ok("update", "--cpu-period", "200000", "web")
	assert.Equal(t, "50000 200000", quota(t, pid))
	e.ok("update", "--cpu-quota", "70000", "web")
	e.ok("update", "--cpu-period", "100000", "--pids-limit", "50", "web")
	assert.Equal(t, "70000 100000", quota(t, pid), "an update stands on those before it")
	assert.Equal(t, "50", held(t, pid, "pids", "pids.max", "pids.max"))

	// As an engine does it: on the standard input, with a 0 for what it does not mean.
	cmd := e.command("update", "--resources", "-", "web")
	cmd.Stdin = strings.NewReader(`{"cpu":{"quota":0,"period":200000},"memory":{"limit":0}}`)
	r := e.finish(cmd)
	require.Zero(t, r.status, r.err)
	assert.Equal(t, "70000 200000", quota(t, pid))
}

// What the container was made without it joins when it is limited: init, what was added
// to it, and what is added later.
func updateJoins(t *testing.T) {
	e := limited(t, specs.LinuxResources{
		Pids: &specs.LinuxPids{Limit: new(int64(60))},
	}, "sleep", "1000")
	e.config.Linux.CgroupsPath = "" // by a name, all that counts would be joined at once
	pid := e.begin()
	file := filepath.Join(e.bundle, "added")
	e.ok("exec", "--detach", "--pid-file", file, "web", "sleep", "1000")
	dir, version := group(t, pid, "memory")
	if version == 1 {
		assert.NotContains(t, dir, "minirun-web", "it is where its maker is")
	}
	limit := strconv.Itoa(64 << 20)
	e.ok("update", "--memory", limit, "web")
	e.ok("exec", "--detach", "--pid-file", file+"-later", "web", "sleep", "1000")
	for _, text := range []string{strconv.Itoa(pid), pidIn(t, file), pidIn(t, file+"-later")} {
		member, err := strconv.Atoi(text)
		require.NoError(t, err)
		dir, _ = group(t, member, "memory")
		assert.Contains(t, dir, "minirun-web")
		assert.Equal(t, limit, held(t, member, "memory", "memory.limit_in_bytes", "memory.max"))
	}
	assert.Equal(t, "60", held(t, pid, "pids", "pids.max", "pids.max"))
	e.ok("delete", "--force", "web")
	assert.NoDirExists(t, dir)

	e.ok("create", "web")
	cmd := e.command("update", "--resources", "-", "web")
	cmd.Stdin = strings.NewReader(`{"unified":{"gpu.max":"1"}}`)
	r := e.finish(cmd)
	assert.Equal(t, 1, r.status)
	assert.Contains(t, r.err, "gpu", "what the machine has not is named")
}

func updateRefused(t *testing.T) {
	limits := memory(64)
	limits.Pids = &specs.LinuxPids{Limit: new(int64(60))}
	e := limited(t, limits, "sleep", "1000")
	pid := e.begin()
	r := e.do("update", "--memory", strconv.Itoa(96<<20), "web")
	assert.Equal(t, 1, r.status)
	assert.Contains(t, r.err, "less than memory.limit")
	// The first is written before the second is found to be too much.
	r = e.do("update", "--memory", strconv.Itoa(48<<20), "--pids-limit", "4294967296000", "web")
	assert.Equal(t, 1, r.status)
	assert.Contains(t, r.err, "linux.resources.pids.limit 4294967296000: ")
	assert.Equal(t, strconv.Itoa(64<<20),
		held(t, pid, "memory", "memory.limit_in_bytes", "memory.max"))
	assert.Equal(t, "60", held(t, pid, "pids", "pids.max", "pids.max"))
}

// memory limits memory to so many MiB, without swap.
func memory(mib int64) specs.LinuxResources {
	return specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: new(mib << 20), Swap: new(mib << 20)},
	}
}

// stands reports whether the kernel says that a container is frozen.
func stands(t *testing.T, pid int) bool {
	t.Helper()
	state := held(t, pid, "freezer", "freezer.state", "cgroup.events")
	return state == "FROZEN" || strings.Contains(state, "frozen 1")
}

func pauses(t *testing.T) {
	e := limited(t, specs.LinuxResources{}, "sleep", "1000")
	pid := e.begin()
	assert.False(t, stands(t, pid))
	assert.Contains(t, e.do("resume", "web").err, "not paused")
	e.ok("pause", "web")
	assert.True(t, stands(t, pid))
	assert.Equal(t, "paused", e.status())
	assert.Contains(t, e.do("pause", "web").err, "paused already")
	assert.Contains(t, e.do("exec", "web", "true").err, "resume it first")
	assert.Contains(t, e.do("delete", "web").err, "stopped first")
	e.ok("resume", "web")
	assert.False(t, stands(t, pid))
	assert.Equal(t, "running", e.status())
	assert.Zero(t, e.do("exec", "web", "true").status)
}

func removesPaused(t *testing.T) {
	e := limited(t, specs.LinuxResources{}, "sleep", "1000")
	pid := e.begin()
	dir, _ := group(t, pid, "freezer")
	e.ok("pause", "web")
	e.ok("kill", "web", "KILL") // of version 1 it waits until it is let go
	e.ok("delete", "--force", "web")
	e.empty()
	assert.NoDirExists(t, dir)
}

func killsAll(t *testing.T) {
	e := limited(t, specs.LinuxResources{}, "sh", "-c", "sleep 1000 & sleep 1000 & wait")
	// Without a pid namespace, the end of init is the end of init alone.
	e.config.Linux.Namespaces = slices.DeleteFunc(e.config.Linux.Namespaces,
		func(n specs.LinuxNamespace) bool { return n.Type == specs.PIDNamespace })
	e.config.Mounts = slices.DeleteFunc(e.config.Mounts,
		func(m specs.Mount) bool { return m.Type == "proc" })
	e.config.Linux.MaskedPaths, e.config.Linux.ReadonlyPaths = nil, nil
	pid := e.begin()
	dir, _ := group(t, pid, "freezer")
	procs := func() []string {
		text, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		require.NoError(t, err)
		return strings.Fields(string(text))
	}
	require.Eventually(t, func() bool { return len(procs()) >= 3 }, long, time.Millisecond)
	var all []int
	require.NoError(t, json.Unmarshal([]byte(e.ok("ps", "--format", "json", "web")), &all))
	assert.Len(t, all, len(procs()))
	e.ok("kill", "web", "KILL")
	e.stops()
	require.NotEmpty(t, procs(), "the others live on")
	e.ok("kill", "--all", "web", "KILL")
	require.Eventually(t, func() bool { return len(procs()) == 0 }, long, time.Millisecond)
	e.ok("delete", "web")
	assert.NoDirExists(t, dir)
}

func tellsOOM(t *testing.T) {
	data := t.TempDir()
	e := limited(t, memory(48), "sh", "-c", "until [ -e /data/go ]; do sleep 0.05; done; "+
		"hog 256M; touch /data/lived; sleep 1000")
	e.config.Mounts = append(e.config.Mounts, specs.Mount{
		Destination: "/data", Type: "bind", Source: data, Options: []string{"bind"},
	})
	pid := e.begin()
	cmd := e.command("events", "--interval", "50ms", "web")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	next := func(kind string) (data map[string]any) {
		t.Helper()
		for lines.Scan() {
			var event struct {
				Type, ID string
				Data     map[string]any
			}
			require.NoError(t, json.Unmarshal(lines.Bytes(), &event))
			assert.Equal(t, "web", event.ID)
			if event.Type == kind {
				return event.Data
			}
		}
		require.Fail(t, "the stream has ended without "+kind)
		return nil
	}
	usage := next("stats")["memory"].(map[string]any)["usage"].(map[string]any)
	assert.InDelta(t, 48<<20, usage["limit"], 0)
	assert.Positive(t, usage["usage"])
	require.NoError(t, os.WriteFile(filepath.Join(data, "go"), nil, 0o644))
	next("oom")
	require.Eventually(t, func() bool { // the shell lives on, and the kernel has counted
		_, err := os.Stat(filepath.Join(data, "lived"))
		return err == nil
	}, long, time.Millisecond)
	assert.Regexp(t, `oom_kill [1-9]`,
		held(t, pid, "memory", "memory.oom_control", "memory.events"))
	e.ok("kill", "web", "KILL")
	for lines.Scan() { // it ends with the container
	}
	require.NoError(t, cmd.Wait())
	assert.Equal(t, 1, e.do("events", "--stats", "web").status)
}

func refusesUsed(t *testing.T) {
	first := limited(t, specs.LinuxResources{}, "sleep", "1000")
	pid := first.begin()
	second := limited(t, specs.LinuxResources{}, "sleep", "1000")
	refused := func(why string) {
		t.Helper()
		r := second.run()
		assert.Equal(t, 125, r.status)
		assert.Contains(t, r.err, why)
		second.empty()
	}
	second.config.Linux.CgroupsPath = first.config.Linux.CgroupsPath
	refused("is in it, which is not the container's")
	first.ok("pause", "web")
	refused("is in it, which is not the container's")
	second.config.Linux.CgroupsPath = filepath.Dir(first.config.Linux.CgroupsPath)
	refused("is in it, which is not the container's")
	first.ok("resume", "web")
	assert.Equal(t, "running", first.status())

	// A frozen one without a process would hold init up for ever.
	dir, version := group(t, pid, "freezer")
	frozen := filepath.Join(filepath.Dir(dir), "frozen")
	require.NoError(t, os.Mkdir(frozen, 0o755))
	t.Cleanup(func() {
		if err := os.Remove(frozen); !errors.Is(err, os.ErrNotExist) {
			require.NoError(t, err)
		}
	})
	file, word := "freezer.state", "FROZEN"
	if version == 2 {
		file, word = "cgroup.freeze", "1"
	}
	require.NoError(t, os.WriteFile(filepath.Join(frozen, file), []byte(word), 0))
	second.config.Linux.CgroupsPath = filepath.Dir(first.config.Linux.CgroupsPath) + "/frozen"
	refused("frozen: it is frozen")
}

func execsBeside(t *testing.T) {
	e := limited(t, specs.LinuxResources{Pids: &specs.LinuxPids{Limit: new(int64(100))}},
		"sleep", "1000")
	pid := e.begin()
	dir, version := group(t, pid, "pids")
	// As a container with systemd does: it goes below, and hands controllers on.
	init := filepath.Join(dir, "init")
	require.NoError(t, os.Mkdir(init, 0o755))
	if version == 2 {
		move := []byte(strconv.Itoa(pid))
		require.NoError(t, os.WriteFile(filepath.Join(init, "cgroup.procs"), move, 0))
		control := filepath.Join(dir, "cgroup.subtree_control")
		require.NoError(t, os.WriteFile(control, []byte("+pids"), 0))
	}
	for _, args := range [][]string{{"web"}, {"--cgroup", "pids:/init", "web"}} {
		file := filepath.Join(t.TempDir(), "pid")
		args = append([]string{"exec", "--detach", "--pid-file", file}, args...)
		e.ok(append(args, "sleep", "1000")...)
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		added, err := strconv.Atoi(string(text))
		require.NoError(t, err)
		where, _ := group(t, added, "pids")
		if version == 1 && len(args) == 5 {
			assert.Equal(t, dir, where)
		} else {
			assert.Equal(t, init, where)
		}
	}
	assert.Contains(t, e.do("exec", "--cgroup", "/none", "web", "true").err, "has no cgroup /none")
}

// config-linux.md, "Cgroup ownership": on version 2 the command's user may make cgroups
// below the container's, and not change its limits.
func owns(t *testing.T) {
	e := limited(t, specs.LinuxResources{Pids: &specs.LinuxPids{Limit: new(int64(100))}},
		"sh", "-c", "mkdir /sys/fs/cgroup/mine; exec sleep 1000")
	e.config.Process.User.UID = 7
	e.config.Mounts = append(e.config.Mounts, specs.Mount{
		Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup",
	})
	dir, version := group(t, e.begin(), "pids")
	owner := func(path string) uint32 {
		var stat unix.Stat_t
		require.NoError(t, unix.Stat(path, &stat))
		return stat.Uid
	}
	assert.Zero(t, owner(filepath.Join(dir, "pids.max")))
	if version == 1 {
		assert.Zero(t, owner(dir))
		return
	}
	assert.EqualValues(t, 7, owner(dir))
	require.Eventually(t, func() bool {
		_, err := os.Stat(filepath.Join(dir, "mine"))
		return err == nil
	}, long, time.Millisecond)
}

func starves(t *testing.T) {
	for _, limit := range []int64{0, 2} {
		e := limited(t, specs.LinuxResources{Pids: &specs.LinuxPids{Limit: &limit}}, "true")
		r := e.run()
		assert.Equal(t, 125, r.status)
		assert.Contains(t, r.err, fmt.Sprintf("the limit of %d pids was met", limit))
		e.empty()
	}
}

// Where systemd does not run, one line says so; what needs none works.
func TestNoSystemd(t *testing.T) {
	e := newEngine(t, "true")
	e.config.Linux.CgroupsPath = "user.slice:lab:web"
	e.write()
	for _, verb := range []string{"create", "run"} {
		r := e.do("--systemd-cgroup", verb, "web")
		assert.NotZero(t, r.status)
		assert.Contains(t, r.err, "systemd does not run this machine")
		assert.Contains(t, r.err, "hint: have the engine use cgroupfs")
		assert.Equal(t, 2, strings.Count(r.err, "\n"))
	}
	assert.NoDirExists(t, e.state)
	e.ok("--systemd-cgroup", "list")
}
