package main_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// runtime.md, "Lifecycle": created, running, stopped, and gone.
func TestLifecycle(t *testing.T) {
	e := newEngine(t, "sh", "-c", "echo begun > /data/mark; exec sleep 1000")
	data := t.TempDir()
	e.config.Mounts = append(e.config.Mounts, specs.Mount{
		Destination: "/data", Type: "bind", Source: data, Options: []string{"bind"},
	})
	e.write()

	// Created: init is there, and its command has not begun.
	e.ok("create", "--pid-file", filepath.Join(e.bundle, "pid"), "web")
	assert.Equal(t, "created", e.status())
	assert.NoFileExists(t, filepath.Join(data, "mark"))
	assert.Equal(t, 1, e.do("create", "web").status, "the name is taken")

	// Running: it has, once.
	e.ok("start", "web")
	require.Eventually(t, func() bool {
		_, err := os.Stat(filepath.Join(data, "mark"))
		return err == nil
	}, long, time.Millisecond)
	assert.Equal(t, "running", e.status())
	assert.Equal(t, 1, e.do("start", "web").status)
	assert.Contains(t, e.do("delete", "web").err, "stopped first")

	// Stopped: nothing can be sent there any longer.
	e.ok("kill", "web", "KILL")
	e.stops()
	assert.Contains(t, e.do("kill", "web", "15").err, "container not running")

	// Gone: and that it is gone already is no failure to who insists.
	e.ok("delete", "web")
	assert.Contains(t, e.do("state", "web").err, "does not exist")
	assert.Equal(t, 1, e.do("delete", "web").status)
	e.ok("delete", "--force", "web")
	e.empty()
}

// A container that was made and not started is removed without force.
func TestDeleteCreated(t *testing.T) {
	e := newEngine(t, "true")
	e.write()
	e.ok("create", "web")
	e.ok("delete", "web")
	e.empty()
}

// The command's exit status is that of run; where there is none, clients read it from
// the message.
func TestStatus(t *testing.T) {
	for _, test := range []struct {
		name, want string
		command    []string
		status     int
	}{
		{"success", "", []string{"true"}, 0},
		{"its own", "", []string{"sh", "-c", "exit 7"}, 7},
		{"not in PATH", `exec: "nope": executable file not found in $PATH`, []string{"nope"}, 127},
		{
			"no file", `exec: "/nope": stat /nope: no such file or directory`,
			[]string{"/nope"},
			127,
		},
		{"directory", "permission denied", []string{"/etc"}, 126},
		{"not executable", "permission denied", []string{"/etc/passwd"}, 126},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := newEngine(t, test.command...)
			r := e.run()
			assert.Equal(t, test.status, r.status, r.err)
			assert.Contains(t, r.err, test.want)
			e.empty()
		})
	}
}

// A log tells an engine what failed.
func TestLog(t *testing.T) {
	e := newEngine(t, "nope")
	e.write()
	log := filepath.Join(t.TempDir(), "log")
	r := e.do("--log", log, "--log-format", "json", "create", "web")
	assert.Equal(t, 1, r.status)
	text, err := os.ReadFile(log)
	require.NoError(t, err)
	var entry struct{ Level, Msg string }
	require.NoError(t, json.Unmarshal(text, &entry))
	assert.Equal(t, "error", entry.Level)
	assert.Contains(t, entry.Msg, `exec: "nope": executable file not found in $PATH`)
	e.empty()
}

// config.md, "POSIX-platform Hooks": each at its time, in its place, with the state.
func TestHooks(t *testing.T) {
	e := newEngine(t, "true")
	said := filepath.Join(t.TempDir(), "said")
	require.NoError(t, os.WriteFile(said, nil, 0o666))
	script := filepath.Join(t.TempDir(), "hook")
	text := "#!/bin/sh\nread state\necho \"$1 $state\" >> " + said + "\n"
	require.NoError(t, os.WriteFile(script, []byte(text), 0o755))
	one := func(name string) []specs.Hook {
		return []specs.Hook{{Path: script, Args: []string{"hook", name}}}
	}
	e.config.Hooks = &specs.Hooks{
		CreateRuntime: one("createRuntime"), CreateContainer: one("createContainer"),
		Poststart: one("poststart"), Poststop: one("poststop"),
	}
	r := e.run()
	require.Zero(t, r.status, r.err)
	got, err := os.ReadFile(said)
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(got)), "\n")
	require.Len(t, lines, 4)
	for i, want := range []struct{ name, status string }{
		{"createRuntime", "creating"},
		{"createContainer", "creating"},
		{"poststart", "running"},
		{"poststop", "stopped"},
	} {
		name, state, _ := strings.Cut(lines[i], " ")
		assert.Equal(t, want.name, name)
		var s specs.State
		require.NoError(t, json.Unmarshal([]byte(state), &s))
		assert.Equal(t, want.status, string(s.Status))
		assert.Equal(t, "web", s.ID)
	}
}

// A hook that fails before the start, or is killed, is the end of the container.
func TestHookFails(t *testing.T) {
	for _, kind := range []string{"createRuntime", "createContainer", "startContainer"} {
		for _, end := range []struct{ how, told string }{
			{"exit 1", "exit status 1"},
			{"kill -9 $$", "signal: killed"},
		} {
			t.Run(kind+" "+end.how, func(t *testing.T) {
				e, mark := fragile(t)
				hooks := []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", end.how}}}
				e.config.Hooks = &specs.Hooks{}
				*map[string]*[]specs.Hook{
					"createRuntime":   &e.config.Hooks.CreateRuntime,
					"createContainer": &e.config.Hooks.CreateContainer,
					"startContainer":  &e.config.Hooks.StartContainer,
				}[kind] = hooks
				r := e.run()
				assert.Equal(t, 125, r.status)
				assert.Contains(t, r.err, "hook "+kind+"[0]: /bin/sh: "+end.told)
				e.empty()
				e.gone(0)
				assert.NoFileExists(t, mark)
			})
		}
	}
}

// inits lists the processes that are minirun as init.
func inits(t *testing.T) []int {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	require.NoError(t, err)
	var found []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		// A zombie has no command line.
		text, err := os.ReadFile("/proc/" + e.Name() + "/cmdline")
		if err == nil && strings.HasPrefix(string(text), "minirun\x00init\x00") {
			found = append(found, pid)
		}
	}
	return found
}

// An init that is killed while it waits is a stopped container.
func TestKilledInit(t *testing.T) {
	e := newEngine(t, "true")
	e.write()
	e.ok("create", "web")
	e.ok("kill", "web", "KILL")
	e.stops()
	assert.Equal(t, 1, e.do("start", "web").status)
	e.ok("delete", "web")
	e.empty()
}

// list knows all of them, in the forms that engines read.
func TestList(t *testing.T) {
	e := newEngine(t, "sleep", "1000")
	e.write()
	for _, id := range []string{"b", "a"} {
		e.ok("create", id)
	}
	assert.Equal(t, "a\nb\n", e.ok("list", "--quiet"))
	var all []specs.State
	require.NoError(t, json.Unmarshal([]byte(e.ok("list", "--format", "json")), &all))
	require.Len(t, all, 2)
	assert.Equal(t, "a", all[0].ID)
	assert.Contains(t, e.ok("list"), "created")
}

// A wrong command line is one line and the status 2.
func TestUsage(t *testing.T) {
	e := newEngine(t, "true")
	for _, args := range [][]string{
		{"nope"},
		{"state"},
		{"kill", "web", "NOSUCH"},
		{"list", "--format", "xml"},
		{"--log-format", "xml", "list"},
		{"create", "--nope", "web"},
		{"update", "web"},
		{"update", "--memory", "64M", "web"},
	} {
		r := e.do(args...)
		assert.Equal(t, 2, r.status, args)
		assert.Contains(t, r.err, "usage", args)
	}
	for _, verb := range []string{"checkpoint", "restore"} {
		r := e.do(verb, "web")
		assert.Equal(t, 1, r.status)
		assert.Contains(t, r.err, "minirun: "+verb+": not supported")
	}
}

// An engine gets the process itself, which no other one can be taken for: of a new
// container, and of a process that is added.
func TestPidfdSocket(t *testing.T) {
	e := newEngine(t, "sleep", "1000")
	e.write()
	path := filepath.Join(t.TempDir(), "socket")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, listener.Close()) })

	file := filepath.Join(e.bundle, "pid")
	e.ok("create", "--pidfd-socket", path, "--pid-file", file, "web")
	e.ok("start", "web")
	assert.Equal(t, pidIn(t, file), processSent(t, listener))
	e.ok("exec", "--detach", "--pidfd-socket", path, "--pid-file", file, "web", "sleep", "1000")
	assert.Equal(t, pidIn(t, file), processSent(t, listener))

	r := e.do("create", "--pidfd-socket", "/nowhere", "other")
	assert.Equal(t, 1, r.status)
	assert.Contains(t, r.err, "send the process to /nowhere")
}

// pidIn reads a file with the number of a process.
func pidIn(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(text)
}

// processSent receives an open process and tells its number.
//
//	Pid:	4711
func processSent(t *testing.T, listener *net.UnixListener) string {
	t.Helper()
	require.NoError(t, listener.SetDeadline(time.Now().Add(long)))
	socket, err := listener.AcceptUnix()
	require.NoError(t, err)
	defer socket.Close()
	text, rights := make([]byte, 16), make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := socket.ReadMsgUnix(text, rights)
	require.NoError(t, err)
	messages, err := unix.ParseSocketControlMessage(rights[:n])
	require.NoError(t, err)
	require.Len(t, messages, 1)
	fds, err := unix.ParseUnixRights(&messages[0])
	require.NoError(t, err)
	info, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", fds[0]))
	require.NoError(t, errors.Join(err, unix.Close(fds[0])))
	_, pid, _ := strings.Cut(string(info), "Pid:\t")
	pid, _, _ = strings.Cut(pid, "\n")
	return pid
}
