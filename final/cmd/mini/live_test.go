package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"lab/internal/need"
)

// happened are the actions that were noted about a container, in their order.
func (m *mini) happened(name string) []string {
	m.t.Helper()
	text := m.ok("events", "--until", "0s", "-f", "container="+name, "--format", "{{.Action}}")
	return strings.Fields(strings.ReplaceAll(text, ": ", ":"))
}

// What happens to a container is noted, in docker's words, and can be chosen from.
func TestEvents(t *testing.T) {
	m := newMini(t)
	m.web("--label", "tier=front")
	m.ok("exec", "web", "true")
	m.ok("stop", "web")
	assert.Equal(t, []string{
		"create", "start", "exec_start", "exec_die", "kill", "die", "stop",
	}, m.happened("web"))
	m.ok("rename", "web", "site")
	m.ok("start", "site")
	m.ok("rm", "-f", "site")
	assert.Equal(t, []string{"rename", "start", "kill", "die", "destroy"}, m.happened("site"))

	var e struct {
		Type, Action string
		Actor        struct{ Attributes map[string]string }
	}
	text := m.ok("events", "--until", "0s", "-f", "event=die", "-f", "label=tier=front",
		"--format", "json")
	first, _, _ := strings.Cut(text, "\n")
	require.NoError(t, json.Unmarshal([]byte(first), &e))
	assert.Equal(t, "container", e.Type)
	assert.Equal(t, "3", e.Actor.Attributes["exitCode"])
	assert.Equal(t, "web", e.Actor.Attributes["name"])
	assert.Empty(t, m.ok("events", "--since", "0s", "--until", "0s"), "nothing is younger than now")
	assert.Equal(t, 2, m.do("events", "-f", "colour=red").status)
	assert.Equal(t, 2, m.do("events", "--since", "x").status)
}

// Who follows sees what comes, until a signal.
func TestEventsFollow(t *testing.T) {
	m := newMini(t)
	path := filepath.Join(t.TempDir(), "said")
	file, err := os.Create(path)
	require.NoError(t, err)
	cmd := m.command("events", "--since", "1h", "--format", "{{.Action}}")
	cmd.Stdout = file
	require.NoError(t, cmd.Start())
	m.ok("create", "--name", "web", "base")
	m.ok("rm", "web")
	eventually(t, "what comes is shown", func() bool {
		text, err := os.ReadFile(path)
		return err == nil && string(text) == "create\ndestroy\n"
	})
	require.NoError(t, cmd.Process.Signal(unix.SIGTERM))
	require.NoError(t, cmd.Wait())
}

// stats and top tell what runs in a container, port where it is found, and a container
// that does not run has none of that.
func TestLookAtWhatRuns(t *testing.T) {
	m := newMini(t)
	need.Cgroup(t, "memory", "cpu", "pids")
	m.web("--memory", "64m", "-P", "--expose", "80", "--expose", "53/udp", "-p", "127.0.0.1:99:99")
	var row struct{ Name, CPUPerc, MemUsage, PIDs string }
	text := m.ok("stats", "--no-stream", "--format", "json")
	require.NoError(t, json.Unmarshal([]byte(text), &row))
	assert.Equal(t, "web", row.Name)
	assert.Regexp(t, `^\d+\.\d\d%$`, row.CPUPerc)
	assert.Regexp(t, `^[\d.]+[KM]iB / 64MiB$`, row.MemUsage)
	assert.NotEqual(t, "0", row.PIDs)
	assert.Contains(t, m.ok("stats", "--no-stream", "web"), "MEM USAGE / LIMIT")

	pid := m.ok("inspect", "-f", "{{.State.Pid}}", "web")
	assert.Contains(t, strings.Fields(m.ok("top", "web")), pid)
	assert.Equal(t, pid, strings.Fields(m.ok("top", "web", "-eo", "pid,args"))[2])
	assert.Contains(t, m.do("top", "web", "-eo", "args").err, "column PID")

	lines := strings.Split(m.ok("port", "web"), "\n")
	require.Len(t, lines, 3)
	for _, want := range []string{
		`53/udp -> 0\.0\.0\.0:\d+`, `80/tcp -> 0\.0\.0\.0:\d+`, `99/tcp -> 127\.0\.0\.1:99`,
	} {
		assert.Regexp(t, "(?m)^"+want+"$", strings.Join(lines, "\n"))
	}
	assert.Equal(t, "127.0.0.1:99", m.ok("port", "web", "99"))
	assert.Contains(t, m.do("port", "web", "7").err, "no port 7/tcp")

	m.ok("stop", "web")
	assert.Contains(t, m.do("top", "web").err, "not running")
	assert.Regexp(t, `web +-- `, m.ok("stats", "--no-stream", "-a"))
	assert.NotContains(t, m.ok("stats", "--no-stream"), "web")
}

// update changes the kernel's limits at once, and those of the next start.
func TestUpdate(t *testing.T) {
	m := newMini(t)
	need.Cgroup(t, "memory", "cpu", "pids")
	m.web("--memory", "64m")
	check := func(when string, limits map[string]string) {
		pid := m.ok("inspect", "-f", "{{.State.Pid}}", "web")
		for file, want := range limits {
			if text, there := cgroupFile(t, pid, file); there {
				assert.Equal(t, want, text, "%s %s", file, when)
			}
		}
	}
	m.ok("update", "--memory", "32m", "--cpus", "0.5", "--pids-limit", "40", "web")
	limits := map[string]string{
		"memory.limit_in_bytes": "33554432", "memory.max": "33554432", "pids.max": "40",
		"cpu.cfs_quota_us": "50000", "cpu.max": "50000 100000",
	}
	check("at once", limits)
	m.ok("restart", "web")
	check("after a start", limits)
	m.ok("update", "--pids-limit", "-1", "web")
	check("without a limit", map[string]string{"pids.max": "max"})
	assert.Equal(t, 2, m.do("update", "web").status)
	assert.Equal(t, 1, m.do("update", "--memory", "1k", "web").status)
	check("after a refusal", map[string]string{"memory.limit_in_bytes": "33554432"})

	m.ok("update", "--restart", "on-failure:1", "web")
	m.ok("exec", "web", "sh", "-c", "kill -TERM 1")
	eventually(t, "it was started again, as it is told now", func() bool {
		return m.ok("inspect", "-f", "{{.RestartCount}}", "web") == "1"
	})
}

// A command in the container tells whether it works; ps, inspect and events show it.
func TestHealth(t *testing.T) {
	m := newMini(t)
	m.web("--health-cmd", "echo looked; test -e /ok", "--health-interval", "50ms",
		"--health-retries", "2")
	health := func() string { return m.ok("inspect", "-f", "{{.State.Health.Status}}", "web") }
	eventually(t, "it is found ill", func() bool { return health() == "unhealthy" })
	assert.Contains(t, m.ok("ps"), "(unhealthy)")
	m.ok("exec", "web", "touch", "/ok")
	eventually(t, "it is found well", func() bool { return health() == "healthy" })
	assert.Equal(t, "web", m.ok("ps", "--filter", "health=healthy", "--format", "{{.Names}}"))
	said := "{{range .State.Health.Log}}{{.Output}}{{end}}"
	assert.Contains(t, m.ok("inspect", "-f", said, "web"), "looked")
	m.ok("stop", "web")
	words := strings.Join(m.happened("web"), " ")
	assert.Regexp(t, "health_status:unhealthy.* health_status:healthy", words)
}

// What takes too long has failed, and flags that contradict each other are refused.
func TestHealthTooSlow(t *testing.T) {
	m := newMini(t)
	m.ok("run", "-d", "--name", "web", "--health-cmd", "sleep 1000", "--health-timeout", "50ms",
		"--health-interval", "50ms", "--health-retries", "1", "base", "sleep", "1000")
	eventually(t, "the check was killed", func() bool {
		return m.ok("inspect", "-f", "{{.State.Health.Status}}", "web") == "unhealthy"
	})
	assert.Equal(t, 125, m.do("run", "--no-healthcheck", "--health-cmd", "x", "base").status)
	assert.Equal(t, 125, m.do("run", "--health-interval", "-1s", "base").status)
}

// With --init the first process is ours: it reaps, passes signals on and its status is
// the command's.
func TestInit(t *testing.T) {
	m := newMini(t)
	m.ok("run", "-d", "--init", "--name", "web", "base", "sh", "-c",
		`(sh -c "sleep 0.01 & echo \$! > /orphan") & exec sleep 1000`)
	first := m.ok("exec", "web", "cat", "/proc/1/cmdline")
	assert.True(t, strings.HasPrefix(first, "/dev/mini-init\x00"), first)
	eventually(t, "an orphan is reaped", func() bool {
		return m.do("exec", "web", "sh", "-c", "test -s /orphan && test ! -e /proc/$(cat /orphan)").
			status == 0
	})
	m.ok("stop", "web")
	assert.Equal(t, "143", m.ok("wait", "web"), "sleep has no handler, and as a child needs none")
	for _, tt := range []struct {
		command []string
		want    int
	}{
		{[]string{"sh", "-c", "exit 7"}, 7},
		{[]string{"nosuch"}, 127},
		{[]string{"/etc"}, 126},
	} {
		args := append([]string{"run", "--rm", "--init", "base"}, tt.command...)
		assert.Equal(t, tt.want, m.do(args...).status, "%s", tt.command)
	}
}

// A monitor is small once its container runs.
func TestMonitorIsSmall(t *testing.T) {
	m := newMini(t)
	m.web()
	pid := m.ok("inspect", "-f", "{{.State.Monitor.Pid}}", "web")
	const most = 6 << 10
	eventually(t, fmt.Sprintf("it has at most %d KiB", most), func() bool {
		return proportional(t, pid) <= most
	})
}

// proportional is a process's share of memory, in KiB:
//
//	Pss:                4262 kB
func proportional(t *testing.T, pid string) int {
	t.Helper()
	text, err := os.ReadFile("/proc/" + pid + "/smaps_rollup")
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); fields[0] == "Pss:" {
			n, err := strconv.Atoi(fields[1])
			require.NoError(t, err)
			return n
		}
	}
	require.Fail(t, "there is no line Pss")
	return 0
}
