package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// status is what `mini inspect` says of how a container is doing.
func (m *mini) status(name string) string {
	m.t.Helper()
	return m.ok("inspect", "--format", "{{.State.Status}}", name)
}

// web starts a container that goes on until it is asked to end, and then says so.
func (m *mini) web(flags ...string) {
	m.t.Helper()
	args := append([]string{"run", "-d", "--name", "web"}, flags...)
	m.ok(append(args, "base", "sh", "-c",
		`trap "echo asked; exit 3" TERM; echo ready; while true; do sleep 0.05; done`)...)
	eventually(m.t, "it is ready", func() bool { return m.ok("logs", "web") == "ready" })
}

// Created, running, exited, running again, gone.
func TestLife(t *testing.T) {
	m := newMini(t)
	id := m.ok("create", "--name", "web", "base", "sh", "-c", "echo begun >> /count; sleep 1000")
	assert.Equal(t, "created", m.status("web"))
	assert.Equal(t, "created", m.status(id[:6]), "the beginning of its ID will do")
	assert.Equal(t, "web", m.ok("start", "web"))
	assert.Equal(t, "running", m.status("web"))
	assert.Equal(t, "web", m.ok("start", "web"), "it runs, as was asked for")
	eventually(t, "it has begun", func() bool {
		return m.do("exec", "web", "cat", "/count").out == "begun\n"
	})

	assert.Equal(t, "web", m.ok("kill", "web"))
	assert.Equal(t, "exited", m.status("web"))
	assert.Equal(t, "137", m.ok("wait", "web"))
	assert.Contains(t, m.do("kill", "web").err, "mini: kill web: the container is not running\n")

	m.ok("start", "web")
	eventually(t, "what it has written is still there", func() bool {
		return m.do("exec", "web", "cat", "/count").out == "begun\nbegun\n"
	})
	r := m.do("rm", "web")
	assert.Equal(t, 1, r.status)
	assert.Contains(t, r.err, "the container is running")
	m.ok("rename", "web", "site")
	assert.Contains(t, m.do("inspect", "web").err, "there is no such container")
	m.ok("rm", "-f", "site")
	m.empty()
	assert.Zero(t, m.do("rm", "-f", "site").status, "it is gone, as was asked for")
	assert.Equal(t, 1, m.do("rm", "site").status)
}

// A container is asked to end by its signal and, when it does not, killed.
func TestStop(t *testing.T) {
	m := newMini(t)
	m.web()
	assert.Equal(t, "web", m.ok("stop", "web"))
	assert.Equal(t, "3", m.ok("inspect", "-f", "{{.State.ExitCode}}", "web"))
	assert.Equal(t, "ready\nasked", m.ok("logs", "web"))
	assert.Equal(t, "web", m.ok("stop", "web"), "it has ended, as was asked for")

	m.ok("restart", "web")
	eventually(t, "it is ready again", func() bool {
		return strings.Count(m.ok("logs", "web"), "ready") == 2
	})
	m.ok("kill", "-s", "TERM", "web")
	assert.Equal(t, "3", m.ok("wait", "web"))

	m.ok("run", "-d", "--name", "deaf", "base", "sh", "-c",
		"trap '' TERM; while true; do sleep 1; done")
	m.ok("stop", "-t", "0", "deaf")
	assert.Equal(t, "137", m.ok("wait", "deaf"))
}

// --rm removes what has ended, whoever ends it.
func TestAutoRemove(t *testing.T) {
	m := newMini(t)
	for _, end := range [][]string{{"stop", "-t0"}, {"kill"}, {"rm", "-f"}} {
		m.web("--rm")
		m.ok(append(end, "web")...)
		m.empty()
	}
}

// What a container says is kept, line by line, with its time and stream.
func TestLogs(t *testing.T) {
	m := newMini(t)
	before := time.Now()
	m.ok("run", "--name", "web", "base", "sh", "-c", "echo 1; echo 2; echo err >&2; printf 3")
	r := m.do("logs", "web")
	assert.Equal(t, result{"1\n2\n3", "err\n", 0}, r)
	r = m.do("logs", "--tail", "1", "web")
	assert.Contains(t, []string{"3", "err\n"}, r.out+r.err)
	assert.Empty(t, m.ok("logs", "--since", time.Now().Add(time.Hour).Format(time.RFC3339), "web"))
	assert.Equal(t, "1\n2\n3", m.ok("logs", "--since", before.Format(time.RFC3339Nano), "web"))
	stamp, rest, _ := strings.Cut(m.ok("logs", "-t", "--tail", "all", "web"), " ")
	at, err := time.Parse(time.RFC3339Nano, stamp)
	require.NoError(t, err)
	assert.WithinRange(t, at, before, time.Now())
	assert.True(t, strings.HasPrefix(rest, "1\n"))
	assert.Equal(t, 2, m.do("logs", "--since", "yesterday", "web").status)
}

// Who follows the log gets all there was, all that comes, and the end.
func TestLogsFollow(t *testing.T) {
	m := newMini(t)
	m.web()
	cmd := m.command("logs", "-f", "web")
	var said strings.Builder
	cmd.Stdout = &said
	require.NoError(t, cmd.Start())
	m.ok("stop", "web")
	require.NoError(t, cmd.Wait())
	assert.Equal(t, "ready\nasked\n", said.String())
}

// ps lists what runs, or everything, in columns, as JSON or as a template says.
func TestPs(t *testing.T) {
	m := newMini(t)
	m.web("--label", "tier=front")
	m.do("run", "--name", "done", "base", "false")
	id := m.ok("inspect", "-f", "{{.Id}}", "web")
	lines := strings.Split(m.ok("ps"), "\n")
	require.Len(t, lines, 2)
	assert.Equal(t, "CONTAINER ID IMAGE COMMAND CREATED STATUS PORTS NAMES",
		strings.Join(strings.Fields(lines[0]), " "))
	assert.Regexp(t, "^"+id[:12]+` +base +"sh -c trap \\"echo as…" +.* ago +Up .* web$`, lines[1])

	assert.Equal(t, "done\nweb", m.ok("ps", "-a", "--format", "{{.Names}}"))
	assert.Equal(t, id, m.ok("ps", "-q", "--no-trunc"))
	assert.Equal(t, "done", m.ok("ps", "-l", "--format", "{{.Names}}"))
	var parsed struct{ ID, Names, State, Status string }
	text := m.ok("ps", "--filter", "exited=1", "--format", "json")
	require.NoError(t, json.Unmarshal([]byte(text), &parsed))
	assert.Equal(t, "done", parsed.Names)
	assert.Equal(t, "exited", parsed.State)
	assert.True(t, strings.HasPrefix(parsed.Status, "Exited (1) "), parsed.Status)
	for filter, want := range map[string]string{
		"status=exited": "done", "name=we": "web", "label=tier": "web", "label=tier=back": "",
		"id=" + id[:5]: "web", "ancestor=base": "done\nweb",
	} {
		names := m.ok("ps", "-a", "--format", "{{.Names}}", "--filter", filter)
		assert.Equal(t, want, names, filter)
	}
	assert.Contains(t, m.do("ps", "--filter", "colour=red").err, "colour=red")
	assert.Contains(t, m.do("ps", "--format", "{{.Nonsense}}").err, "Nonsense")
}

// exec starts a process in the container's namespaces, with files, status and signals of
// its own.
func TestExec(t *testing.T) {
	m := newMini(t)
	m.web("-e", "COLOR=red", "-w", "/tmp")
	m.input = "typed"
	for _, tt := range []struct {
		name string
		args []string
		want result
	}{
		{
			"its surroundings",
			[]string{"web", "sh", "-c", `echo $COLOR $HOME; pwd; test $$ -ne 1`},
			result{"red /root\n/tmp\n", "", 0},
		},
		{
			"others",
			[]string{"-e", "COLOR=blue", "-w", "/etc", "web", "sh", "-c", "echo $COLOR; pwd"},
			result{"blue\n/etc\n", "", 0},
		},
		{"input", []string{"-i", "web", "cat"}, result{"typed", "", 0}},
		{"no input", []string{"web", "cat"}, result{"", "", 0}},
		{
			"two streams",
			[]string{"web", "sh", "-c", "echo out; echo err >&2"},
			result{"out\n", "err\n", 0},
		},
		{"a status", []string{"web", "sh", "-c", "exit 9"}, result{"", "", 9}},
		{"a signal", []string{"web", "sh", "-c", "kill -9 $$"}, result{"", "", 137}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			assert.Equal(t, tt.want, m.do(append([]string{"exec"}, tt.args...)...))
		})
	}
	r := m.do("exec", "web", "nosuch")
	assert.Equal(t, 127, r.status)
	if !ownWords() {
		assert.Contains(t, r.err, `"nosuch"`)
	}
	assert.Equal(t, 126, m.do("exec", "web", "/etc").status)
	m.ok("exec", "-d", "web", "sh", "-c", "echo left > /tmp/left")
	eventually(t, "what was left alone goes on", func() bool {
		return m.do("exec", "web", "cat", "/tmp/left").out == "left\n"
	})
	m.ok("stop", "-t0", "web")
	r = m.do("exec", "web", "true")
	assert.Equal(t, 125, r.status)
	assert.Contains(t, r.err, "the container is not running\nhint: mini start web\n")
}

// No file of ours is the container's: it could open it anew.
func TestExecLendsNoFile(t *testing.T) {
	m := newMini(t)
	m.web()
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	require.NoError(t, err)
	cmd := m.command("exec", "web", "sh", "-c", "ls -l /proc/self/fd/1")
	cmd.Stdout = file
	require.NoError(t, cmd.Run())
	text, err := os.ReadFile(file.Name())
	require.NoError(t, err)
	assert.Contains(t, string(text), "pipe:")
	assert.NotContains(t, string(text), file.Name())
}

// pause freezes, unpause thaws.
func TestPause(t *testing.T) {
	m := newMini(t)
	needFreezer(t)
	m.web()
	m.ok("pause", "web")
	assert.Equal(t, "paused", m.status("web"))
	assert.Contains(t, m.ok("ps"), "(Paused)")
	assert.Contains(t, m.do("exec", "web", "true").err, "paused\nhint: mini unpause web\n")
	assert.Equal(t, 1, m.do("pause", "web").status)
	m.ok("unpause", "web")
	assert.Equal(t, "running", m.status("web"))
	m.ok("pause", "web")
	m.ok("stop", "web")
	assert.Equal(t, "3", m.ok("wait", "web"), "it is thawed to hear the signal")
}

// Who attaches sees what comes, and can type.
func TestAttach(t *testing.T) {
	m := newMini(t)
	m.ok("run", "-d", "-i", "--name", "web", "base", "sh", "-c",
		"read line; echo got $line; exit 4")
	m.input = "words\n"
	assert.Equal(t, result{"got words\n", "", 4}, m.do("attach", "web"))
	m.input = "again\n"
	assert.Equal(t, result{"got again\n", "", 4}, m.do("start", "-ai", "web"))
}

// A signal to who sits before a container is one to its command.
func TestSignalsArePassedOn(t *testing.T) {
	m := newMini(t)
	cmd := m.command("run", "--rm", "--name", "web", "base", "sh", "-c",
		`trap "exit 5" TERM; touch /ready; while true; do sleep 0.05; done`)
	require.NoError(t, cmd.Start())
	eventually(t, "it is ready", func() bool {
		return m.do("exec", "web", "test", "-e", "/ready").status == 0
	})
	require.NoError(t, cmd.Process.Signal(unix.SIGTERM))
	_ = cmd.Wait() // its status is looked at
	assert.Equal(t, 5, cmd.ProcessState.ExitCode())
	m.empty()
}

// A container whose monitor was killed is ended and can be started again.
func TestMonitorKilled(t *testing.T) {
	m := newMini(t)
	m.web()
	pid, err := strconv.Atoi(m.ok("inspect", "-f", "{{.State.Monitor.Pid}}", "web"))
	require.NoError(t, err)
	first, err := strconv.Atoi(m.ok("inspect", "-f", "{{.State.Pid}}", "web"))
	require.NoError(t, err)
	require.Greater(t, pid, 1)
	require.NoError(t, unix.Kill(pid, unix.SIGKILL))
	eventually(t, "it has ended", func() bool { return m.status("web") == "exited" })
	eventually(t, "its command has, too", func() bool {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", first))
		return err != nil || strings.Contains(string(text), ") Z ")
	})
	assert.Equal(t, "255", m.ok("inspect", "-f", "{{.State.ExitCode}}", "web"))
	m.ok("start", "web")
	assert.Equal(t, "running", m.status("web"))
}

// Ten at a time do not disturb each other.
func TestManyAtATime(t *testing.T) {
	m := newMini(t)
	ended := make(chan result)
	for i := range 10 {
		go func() { ended <- m.do("run", "--rm", "base", "sh", "-c", fmt.Sprint("exit ", i)) }()
	}
	sum := 0
	for range 10 {
		sum += (<-ended).status
	}
	assert.Equal(t, 45, sum)
	m.empty()
}
