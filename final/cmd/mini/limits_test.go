package main_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lab/internal/need"
)

// What runs out of memory is killed by the kernel, and everybody who asks is told.
func TestOutOfMemory(t *testing.T) {
	m := newMini(t)
	need.Cgroup(t, "memory")
	r := m.do("run", "--name", "greedy", "--memory", "32m", "base", "hog", "64M")
	assert.Equal(t, 137, r.status)
	assert.Equal(t, "true", m.ok("inspect", "-f", "{{.State.OOMKilled}}", "greedy"))
	assert.Contains(t, m.ok("ps", "-a"), "Exited (137, out of memory)")
}

// The kernel's own files say what the limits are.
func TestLimitsAreTheKernels(t *testing.T) {
	m := newMini(t)
	need.Cgroup(t, "memory", "cpu", "pids")
	m.web("--memory", "64m", "--pids-limit", "50", "--cpus", "0.5")
	pid := m.ok("inspect", "-f", "{{.State.Pid}}", "web")
	for file, want := range map[string]string{
		"memory.limit_in_bytes": "67108864", "memory.max": "67108864",
		"pids.max": "50", "cpu.cfs_quota_us": "50000", "cpu.max": "50000 100000",
	} {
		if text, there := cgroupFile(t, pid, file); there {
			assert.Equal(t, want, text, file)
		}
	}
	m.dividesItsCgroup()
}

// dividesItsCgroup has a container that may write to the cgroups it sees do so. It has one
// of its own in each hierarchy, so none of what it makes is outside of that.
func (m *mini) dividesItsCgroup() {
	t := m.t
	const divide = "for f in $(find /sys/fs/cgroup -name cgroup.procs); do " +
		"mkdir ${f%cgroup.procs}below || exit 3; done"
	r := m.do("exec", "web", "sh", "-c", divide)
	assert.Equal(t, 3, r.status, "what is not asked for is not given")
	m.ok("run", "-d", "--name", "init", "--network", "none",
		"--security-opt", "writable-cgroups=true", "base", "sleep", "1000")
	m.ok("exec", "init", "sh", "-c", divide)
	id := m.ok("inspect", "-f", "{{.Id}}", "init")
	made := 0
	err := filepath.WalkDir("/sys/fs/cgroup", func(path string, _ fs.DirEntry, err error) error {
		if filepath.Base(path) == "below" {
			made++
			assert.Contains(t, path, id)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // somebody else's, which has gone meanwhile
		}
		return err
	})
	require.NoError(t, err)
	assert.NotZero(t, made)
	m.ok("rm", "-f", "init")
}

// cgroupFile reads a file of a process's cgroup in whichever hierarchy has it.
func cgroupFile(t *testing.T, pid, name string) (string, bool) {
	t.Helper()
	lines, err := os.ReadFile("/proc/" + pid + "/cgroup")
	require.NoError(t, err)
	for line := range strings.Lines(string(lines)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		for _, mount := range []string{"", "/" + fields[1], "/unified"} {
			path := filepath.Join("/sys/fs/cgroup"+mount, fields[2], name)
			if text, err := os.ReadFile(path); err == nil {
				return strings.TrimSpace(string(text)), true
			}
		}
	}
	return "", false
}

// Rights are given, taken and kept as the flags say, and the kernel's words for it are
// found inside.
func TestRights(t *testing.T) {
	m := newMini(t)
	for _, tt := range []struct {
		name  string
		flags []string
		do    string
		want  string
	}{
		{"as docker has them", nil, "grep CapBnd", "CapBnd:\t00000000a80425fb"},
		{
			"one alone",
			[]string{"--cap-drop", "ALL", "--cap-add", "chown"},
			"grep CapEff", "CapEff:\t0000000000000001",
		},
		{
			"one fewer",
			[]string{"--cap-drop", "CAP_CHOWN"},
			"grep CapEff",
			"CapEff:\t00000000a80425fa",
		},
		{"a filter", nil, "grep Seccomp:", "Seccomp:\t2"},
		{
			"no filter",
			[]string{"--security-opt", "seccomp=unconfined"},
			"grep Seccomp:",
			"Seccomp:\t0",
		},
		{
			"no new ones",
			[]string{"--security-opt", "no-new-privileges"},
			"grep NoNew",
			"NoNewPrivs:\t1",
		},
		{"privileged", []string{"--privileged"}, "grep Seccomp:", "Seccomp:\t0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			args := append([]string{"run", "--rm"}, tt.flags...)
			args = append(args, "base", "sh", "-c", tt.do+" /proc/self/status")
			assert.Equal(t, tt.want, m.ok(args...))
		})
	}
}

// Each process has its limits, and the container its own settings and shared memory.
func TestSettings(t *testing.T) {
	m := newMini(t)
	for _, tt := range []struct {
		name  string
		flags []string
		do    string
		want  string
	}{
		{
			"a limit of files",
			[]string{"--ulimit", "core=7:9"},
			"grep core /proc/self/limits | tr -s ' '", "Max core file size 7 9 bytes ",
		},
		{
			"a setting",
			[]string{"--sysctl", "net.ipv4.ip_forward=1"},
			"cat /proc/sys/net/ipv4/ip_forward", "1",
		},
		{
			"shared memory",
			[]string{"--shm-size", "1m"},
			"df /dev/shm | tail -n 1 | grep -c ' 1024 '",
			"1",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			args := append([]string{"run", "--rm"}, tt.flags...)
			assert.Equal(t, tt.want, m.ok(append(args, "base", "sh", "-c", tt.do)...))
		})
	}
}

// A container sees what it shares.
func TestSharedNamespaces(t *testing.T) {
	m := newMini(t)
	m.web("--hostname", "one")
	own := func(kind string, flags ...string) string {
		args := append([]string{"run", "--rm"}, flags...)
		return m.ok(append(args, "base", "readlink", "/proc/self/ns/"+kind)...)
	}
	webs := m.ok("exec", "web", "readlink", "/proc/self/ns/pid")
	assert.Equal(t, webs, own("pid", "--pid", "container:web"))
	assert.NotEqual(t, webs, own("pid"))
	for _, kind := range []string{"pid", "ipc", "uts"} {
		host, err := os.Readlink("/proc/self/ns/" + kind)
		require.NoError(t, err)
		assert.Equal(t, host, own(kind, "--"+kind, "host"))
	}
}

// What fails is started again as often as it shall be.
func TestRestartPolicy(t *testing.T) {
	m := newMini(t)
	r := m.do("run", "--name", "web", "--restart", "on-failure:2", "base", "sh", "-c",
		"echo again; exit 3")
	assert.Equal(t, result{"again\nagain\nagain\n", "", 3}, r)
	assert.Equal(t, "2", m.ok("inspect", "-f", "{{.RestartCount}}", "web"))
	m.ok("run", "-d", "--name", "ever", "--restart", "always", "base", "false")
	eventually(t, "it was started again", func() bool {
		return m.ok("inspect", "-f", "{{.RestartCount}}", "ever") != "0"
	})
	m.ok("stop", "ever")
	assert.Equal(t, "exited", m.status("ever"))
}

// Whoever wants the end of a container while it is started again gets it.
func TestRemovedWhileItStarts(t *testing.T) {
	m := newMini(t)
	paths, err := programs()
	require.NoError(t, err)
	dir := filepath.Dir(m.root)
	slow, again := filepath.Join(dir, "slow"), filepath.Join(dir, "again")
	script := fmt.Sprintf("#!/bin/sh\ncase \"$*\" in *create*) echo >> %s; sleep 0.5;; esac\n"+
		"exec %s \"$@\"\n", again, paths["minirun"])
	require.NoError(t, os.WriteFile(slow, []byte(script), 0o755))
	m.ok("--runtime", slow, "run", "-d", "--name", "web", "--restart", "always", "base", "sh", "-c",
		"test -e /before && exec sleep 1000; touch /before")
	eventually(t, "it is being started again", func() bool {
		text, err := os.ReadFile(again)
		return err == nil && string(text) == "\n\n"
	})
	m.ok("rm", "-f", "web")
	m.empty()
}

// The file for the ID is new, and gone if there is no container.
func TestCIDFile(t *testing.T) {
	m := newMini(t)
	file := filepath.Join(t.TempDir(), "id")
	assert.Equal(t, 125, m.do("run", "--cidfile", file, "nosuch").status)
	id := m.ok("create", "--cidfile", file, "base")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, id, string(text))
	assert.Contains(t, m.do("create", "--cidfile", file, "base").err, "file exists")
}

// A flag that means nothing is refused in one line before anything is made.
func TestLimitsThatAreNone(t *testing.T) {
	m := newMini(t)
	for _, flags := range []string{
		"--memory=x", "--memory=-1", "--memory=1k", "--memory-swap=1g", "--cpus=0", "--cpus=x",
		"--ulimit=nofile", "--ulimit=colour=1", "--ulimit=core=2:1", "--sysctl=x",
		"--device=null", "--device=/dev/null:/dev/x:q", "--cap-add=FLY", "--security-opt=magic",
		"--pid=mars", "--ipc=container", "--uts=container:web", "--restart=maybe",
		"--restart=always:3", "--stop-signal=HELLO", "--rm --restart=always",
	} {
		args := append([]string{"run"}, strings.Fields(flags)...)
		r := m.do(append(args, "base", "true")...)
		assert.Equal(t, 125, r.status, "%s: %s", flags, r.err)
		line, _, _ := strings.Cut(r.err, "\n")
		assert.Contains(t, line, "mini: run: ", flags)
		m.empty()
	}
}
