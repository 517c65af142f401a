package interop

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"lab/internal/need"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ctr is containerd by its own client: between it and the runtime is the shim.
type ctr struct {
	global, perRun []string
	root           string // the directory that all containers have as their root
}

// Containerd has no images here: its containers' root is a directory.
func TestContainerd(t *testing.T) {
	m := prepare(t)
	need.Tool(t, "containerd", "containerd")
	l := before(t, "interop")
	dir := base + "/containerd"
	require.NoError(t, os.MkdirAll(dir, 0o755))
	config := fmt.Sprintf(`version = 2
root = %q
state = %q
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = %q
`, dir+"/root", dir+"/state", dir+"/socket")
	require.NoError(t, os.WriteFile(dir+"/config.toml", []byte(config), 0o600))
	c := ctr{
		global: []string{"--address", dir + "/socket", "--namespace", "interop"},
		perRun: []string{
			"--runtime", "io.containerd.runc.v2", "--runc-binary", m.runtime,
			"--env", "PATH=/bin", // an image would say so
		},
		root: base + "/root",
	}
	stop := daemon(t, func() bool { return c.do("version").status == 0 },
		"/usr/bin/containerd", "--config", dir+"/config.toml", "--log-level", "warn")
	all := c.cases()
	all["nothing left"] = func(t *testing.T) {
		stop()
		l.check(t)
	}
	all.try(t, "containerd")
}

// words adds to a command line what all have.
func (c ctr) words(args []string) []string {
	words := append(append([]string{}, c.global...), args[0])
	if args[0] == "run" {
		words = append(words, c.perRun...)
	}
	return append(words, args[1:]...)
}

// do runs ctr.
func (c ctr) do(args ...string) result { return c.given("", args...) }

// given runs ctr with something to read.
func (c ctr) given(stdin string, args ...string) result {
	ctx, cancel := context.WithTimeout(context.Background(), long)
	defer cancel()
	cmd := command(ctx, "/usr/bin/ctr", c.words(args)...)
	cmd.Stdin = strings.NewReader(stdin)
	return finish(cmd)
}

// run is a command line that runs a shell; the last word is its command, the others are
// flags.
func (c ctr) run(id string, flagsAndScript ...string) []string {
	last := len(flagsAndScript) - 1
	words := append([]string{"run"}, flagsAndScript[:last]...)
	return append(words, "--rootfs", c.root, id, "sh", "-c", flagsAndScript[last])
}

// start runs a shell in the background, which the end of the test ends, and returns the
// number of its process.
func (c ctr) start(t *testing.T, id string, flagsAndScript ...string) int {
	t.Helper()
	file := filepath.Join(shared(t), "pid")
	flags := append([]string{"--detach", "--pid-file", file}, flagsAndScript...)
	require.NoError(t, c.do(c.run(id, flags...)...).failure())
	t.Cleanup(func() { c.end(t, id) })
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	pid, err := strconv.Atoi(string(text))
	require.NoError(t, err)
	return pid
}

// end removes a task and its container.
func (c ctr) end(t *testing.T, id string) {
	t.Helper()
	if c.status(id) == "RUNNING" {
		require.NoError(t, c.do("task", "kill", "--signal", "KILL", id).failure())
		c.becomes(t, id, "STOPPED")
	}
	if c.status(id) != "" {
		c.do("task", "delete", id) // its status is the container's
	}
	require.NoError(t, c.do("container", "delete", id).failure())
}

// status is the state of a task.
//
//	TASK    PID    STATUS
//	web     4711   RUNNING
func (c ctr) status(id string) string {
	for line := range strings.Lines(c.do("task", "list").out) {
		if words := strings.Fields(line); len(words) == 3 && words[0] == id {
			return words[2]
		}
	}
	return ""
}

// becomes waits for a state of a task.
func (c ctr) becomes(t *testing.T, id, status string) {
	t.Helper()
	await(t, func() (bool, string) {
		now := c.status(id)
		return now == status, fmt.Sprintf("%s is %q, not %q", id, now, status)
	})
}

// exec runs a shell in a task; the last word is its command, the others are flags.
func (c ctr) exec(id string, flagsAndScript ...string) result {
	return c.do(c.execWords(id, flagsAndScript...)...)
}

// execWords is the command line of exec.
func (c ctr) execWords(id string, flagsAndScript ...string) []string {
	last := len(flagsAndScript) - 1
	words := append([]string{"task", "exec", "--exec-id", "shell"}, flagsAndScript[:last]...)
	return append(words, id, "sh", "-c", flagsAndScript[last])
}

// cases are what containerd is tried with.
func (c ctr) cases() cases {
	return cases{
		"run": func(t *testing.T) {
			r := c.do(c.run("run", "--rm", "--env", "A=b", "--cwd", "/tmp",
				"echo $$ $A; pwd; echo wrong >&2")...)
			require.NoError(t, r.failure())
			assert.Equal(t, "1 b\n/tmp\n", r.out)
			assert.Equal(t, "wrong\n", r.err)
		},
		"exit status": func(t *testing.T) {
			assert.Equal(t, 7, c.do(c.run("seven", "--rm", "exit 7")...).status)
			r := c.do("run", "--rm", "--rootfs", c.root, "nope", "no-such-program")
			assert.Contains(t, r.err, `exec: "no-such-program": executable file not found in $PATH`)
			r = c.do("run", "--rm", "--rootfs", c.root, "denied", "/etc/passwd")
			assert.Contains(t, r.err, "permission denied")
		},
		"stdin": func(t *testing.T) {
			text := strings.Repeat("0123456789abcde\n", 1<<14)
			r := c.given(text, "run", "--rm", "--rootfs", c.root, "stdin", "cat")
			require.NoError(t, r.failure())
			assert.Equal(t, text, r.out)
		},
		"terminal": c.inTerminal,
		"exec": func(t *testing.T) {
			pid := c.start(t, "exec", "exec sleep 1000")
			r := c.exec("exec", "--cwd", "/tmp", "--user", "1234:5678",
				"id -u; id -g; pwd; readlink /proc/self/ns/pid; exit 5")
			namespace, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid))
			require.NoError(t, err)
			assert.Equal(t, 5, r.status, r.failure())
			assert.Equal(t, "1234\n5678\n/tmp\n"+namespace+"\n", r.out)
		},
		"exec terminal": func(t *testing.T) {
			pid := c.start(t, "exec-terminal", "exec sleep 1000")
			c.typing(t, pid, c.execWords("exec-terminal", "--tty", question))
		},
		"exec detached": func(t *testing.T) {
			dir := shared(t)
			c.start(t, "behind", "--mount", bind(dir, "/data", "rw"), "exec sleep 1000")
			r := c.exec("behind", "--detach", "echo $$ > /data/mark; exec sleep 1000")
			require.NoError(t, r.failure())
			await(t, func() (bool, string) {
				text, _ := os.ReadFile(filepath.Join(dir, "mark")) // it may not be there
				return len(text) > 0, "a mark"
			})
		},
		"logs": func(t *testing.T) {
			log := filepath.Join(shared(t), "log")
			c.start(t, "logs", "--log-uri", "file://"+log, "echo one; echo two >&2")
			c.becomes(t, "logs", "STOPPED")
			await(t, func() (bool, string) {
				text, err := os.ReadFile(log)
				require.NoError(t, err)
				both := strings.Contains(string(text), "one\n") &&
					strings.Contains(string(text), "two\n")
				return both, "both in: " + string(text)
			})
		},
		"kill":  c.kill,
		"pause": c.pause,
		"limits": func(t *testing.T) {
			pid := c.start(t, "limits", "--memory-limit", "67108864", "--cpu-quota", "50000",
				"--cpu-period", "100000", "exec sleep 1000")
			assert.Equal(t, "67108864", memoryMax(t, pid))
			assert.Contains(t, []string{"50000", "50000 100000"},
				cgroupFile(t, pid, "cpu", "cpu.cfs_quota_us", "cpu.max"))
		},
		"oom":     c.oom,
		"volumes": c.volumes,
		"tmpfs": func(t *testing.T) {
			pid := c.start(t, "tmpfs", "--mount",
				"type=tmpfs,src=tmpfs,dst=/mnt,options=size=1m:mode=1770", "exec sleep 1000")
			line := mountOf(t, pid, "/mnt")
			assert.Contains(t, line, "size=1024k")
			assert.Contains(t, line, "mode=1770")
		},
		"read-only": func(t *testing.T) {
			r := c.do(c.run("fixed", "--rm", "--read-only", "touch /etc/x")...)
			assert.NotZero(t, r.status)
			assert.Contains(t, r.err, "read-only file system")
		},
		"capabilities": func(t *testing.T) {
			pid := c.start(t, "caps", "--cap-drop", "CAP_CHOWN", "--cap-add", "CAP_NET_ADMIN",
				"exec sleep 1000")
			assert.Equal(t, "00000000a80435fa", field(t, pid, "CapEff"))
			assert.Equal(t, "00000000a80435fa", field(t, pid, "CapBnd"))
			assert.NotZero(t, c.exec("caps", "chown 1 /etc/passwd").status)
		},
		"no-new-privileges": func(t *testing.T) {
			assert.Equal(t, "1", field(t, c.start(t, "kept", "exec sleep 1000"), "NoNewPrivs"))
			free := c.start(t, "free", "--allow-new-privs", "exec sleep 1000")
			assert.Equal(t, "0", field(t, free, "NoNewPrivs"))
		},
		"seccomp": func(t *testing.T) {
			assert.Equal(t, "0", field(t, c.start(t, "open", "exec sleep 1000"), "Seccomp"))
			pid := c.start(t, "filtered", "--seccomp", "exec sleep 1000")
			assert.Equal(t, "2", field(t, pid, "Seccomp"))
			assert.Contains(t, c.exec("filtered", "grep Seccomp: /proc/self/status").out, "2")
		},
		"shared namespaces": func(t *testing.T) {
			first := c.start(t, "first", "exec sleep 1000")
			second := c.start(t, "second", "--with-ns", fmt.Sprintf("pid:/proc/%d/ns/pid", first),
				"--with-ns", fmt.Sprintf("network:/proc/%d/ns/net", first), "exec sleep 1000")
			for _, kind := range []string{"pid", "net"} {
				want, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", first, kind))
				require.NoError(t, err)
				got, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", second, kind))
				require.NoError(t, err)
				assert.Equal(t, want, got)
			}
		},
		"devices": func(t *testing.T) {
			r := c.do(c.run("device", "--rm", "--device", "/dev/loop-control",
				"stat -c %t,%T /dev/loop-control")...)
			assert.Equal(t, "a,ed\n", r.out, r.err)
		},
		"stats": func(t *testing.T) {
			c.start(t, "stats", "--memory-limit", "67108864", "exec sleep 1000")
			r := c.do("task", "metrics", "stats")
			require.NoError(t, r.failure())
			assert.Regexp(t, `memory.usage_in_bytes +[1-9]|memory.usage +[1-9]`, r.out)
			assert.Regexp(t, `pids.current +[1-9]`, r.out)
		},
		"top": func(t *testing.T) {
			pid := c.start(t, "top", "sleep 1001 & exec sleep 1000")
			await(t, func() (bool, string) {
				r := c.do("task", "ps", "top")
				lines := strings.Split(strings.TrimSpace(r.out), "\n")
				return len(lines) == 3 && strings.Contains(r.out, strconv.Itoa(pid)),
					"a title and two processes: " + r.out + r.err
			})
		},
		"events": func(t *testing.T) {
			events := inTerminal(t, "/usr/bin/ctr", c.words([]string{"events"})...)
			// One that came before it listens is none: so it is tried until one is seen.
			await(t, func() (bool, string) {
				r := c.do(c.run("story", "--rm", "true")...)
				require.NoError(t, r.failure())
				return strings.Contains(events.text(), "/tasks/delete"), "an event"
			})
			for _, topic := range []string{"/tasks/create", "/tasks/start", "/tasks/exit"} {
				events.shows(topic)
			}
			events.end()
		},
	}
}

// bind is a volume as ctr wants it.
func bind(from, to, mode string) string {
	return fmt.Sprintf("type=bind,src=%s,dst=%s,options=rbind:%s", from, to, mode)
}

// question asks in a terminal, and ends with 3 if that is the controlling one.
const question = "test -t 0 && test -t 2 && tty && read x </dev/tty && echo got $x && exit 3"

// typing answers the question in a terminal. The first process of the container is known,
// or is the one that is started.
func (c ctr) typing(t *testing.T, pid int, words []string) {
	t.Helper()
	term := inTerminal(t, "/usr/bin/ctr", c.words(words)...)
	term.shows("/dev/")
	if pid > 0 {
		sized(t, pid)
	}
	term.types("this")
	term.shows("got this")
	assert.Equal(t, 3, term.status(), term.text())
}

// inTerminal: the shell has a terminal.
func (c ctr) inTerminal(t *testing.T) {
	c.typing(t, 0, c.run("terminal", "--rm", "--tty", question))
}

// kill: the task ends with the command's own status, or the signal's.
func (c ctr) kill(t *testing.T) {
	mark := filepath.Join(c.root, "tmp", "trapped")
	t.Cleanup(func() { assert.NoError(t, os.Remove(mark)) })
	for _, test := range []struct {
		id, signal, script string
		status             int
	}{
		{"polite", "TERM", "trap 'exit 9' TERM; touch /tmp/trapped; while :; do sleep 0.1; done", 9},
		{"deaf", "KILL", "exec sleep 1000", 137},
	} {
		ended := make(chan result, 1)
		go func() { ended <- c.do(c.run(test.id, "--rm", test.script)...) }()
		c.becomes(t, test.id, "RUNNING")
		await(t, func() (bool, string) {
			_, err := os.Stat(mark)
			return err == nil, "a trap"
		})
		require.NoError(t, c.do("task", "kill", "--signal", test.signal, test.id).failure())
		r := <-ended
		assert.Equal(t, test.status, r.status, r.failure())
	}
}

// pause: the cgroup is frozen, and thawed.
func (c ctr) pause(t *testing.T) {
	pid := c.start(t, "paused", "exec sleep 1000")
	frozen := func() string {
		return cgroupFile(t, pid, "freezer", "freezer.state", "cgroup.freeze")
	}
	require.NoError(t, c.do("task", "pause", "paused").failure())
	assert.Equal(t, "PAUSED", c.status("paused"))
	assert.Contains(t, []string{"FROZEN", "1"}, frozen())
	require.NoError(t, c.do("task", "resume", "paused").failure())
	assert.Equal(t, "RUNNING", c.status("paused"))
	assert.Contains(t, []string{"THAWED", "0"}, frozen())
}

// oom: containerd tells of the kill.
func (c ctr) oom(t *testing.T) {
	events := inTerminal(t, "/usr/bin/ctr", c.words([]string{"events"})...)
	await(t, func() (bool, string) { // as in the case of events
		r := c.do(c.run("greedy", "--rm", "--memory-limit", "33554432", "exec hog 200M")...)
		assert.Equal(t, 137, r.status, r.failure())
		return strings.Contains(events.text(), "/tasks/oom"), events.text()
	})
	events.end()
}

// volumes: writable and not.
func (c ctr) volumes(t *testing.T) {
	dir := shared(t)
	r := c.do(c.run("volumes", "--rm", "--mount", bind(dir, "/mnt", "rw"), "--mount",
		bind(dir, "/srv", "ro"), "echo text > /mnt/file; cat /srv/file; touch /srv/new")...)
	assert.NotZero(t, r.status)
	assert.Equal(t, "text\n", r.out)
	assert.Contains(t, r.err, "read-only file system")
	assert.FileExists(t, filepath.Join(dir, "file"))
}
