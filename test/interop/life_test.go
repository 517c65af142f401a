package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/creack/pty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// life are the cases about what a container does from its start to its end.
func (e engine) life() cases {
	return cases{
		"run": func(t *testing.T) {
			r := e.do("run", "--rm", "--hostname", "web", image,
				"sh", "-c", "hostname; echo $$; echo wrong >&2")
			require.NoError(t, r.failure())
			assert.Equal(t, "web\n1\n", r.out)
			assert.Equal(t, "wrong\n", r.err)
		},
		"exit status":      e.exitStatus,
		"stdin":            e.stdin,
		"terminal":         e.inTerminal,
		"detached":         e.detached,
		"create and start": e.createAndStart,
		"exec":             e.exec,
		"exec terminal":    e.execTerminal,
		"exec detached":    e.execDetached,
		"logs": func(t *testing.T) {
			c := e.start(t, "echo one; echo two >&2")
			require.Equal(t, "0", e.ok(t, "wait", c.id))
			r := e.do("logs", c.id)
			assert.Equal(t, "one\n", r.out)
			assert.Equal(t, "two\n", r.err)
		},
		"stop":    e.stop,
		"kill":    e.kill,
		"pause":   e.pause,
		"wait":    e.wait,
		"restart": e.restart,
	}
}

// exitStatus: the command's own, and what says that there was none.
func (e engine) exitStatus(t *testing.T) {
	for _, test := range []struct {
		name   string
		args   []string
		status int
	}{
		{"success", []string{image, "true"}, 0},
		{"its own", []string{image, "sh", "-c", "exit 7"}, 7},
		{"a flag that is none", []string{"--no-such-flag", image, "true"}, 125},
		{"a directory", []string{image, "/etc"}, 126},
		{"not executable", []string{image, "/etc/passwd"}, 126},
		{"not in PATH", []string{image, "no-such-program"}, 127},
		{"no such file", []string{image, "/no/such/file"}, 127},
		{"ended by a signal", []string{image, "sh", "-c", "sh -c 'kill -9 $$'; exit $?"}, 137},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := e.do(append([]string{"run", "--rm"}, test.args...)...)
			assert.Equal(t, test.status, r.status, r.failure())
		})
	}
}

// stdin: all that is given arrives, and its end.
func (e engine) stdin(t *testing.T) {
	text := strings.Repeat("0123456789abcde\n", 1<<14)
	r := e.given(text, "run", "--rm", "--interactive", image, "cat")
	require.NoError(t, r.failure())
	assert.Equal(t, text, r.out)
}

// inTerminal: the command has one, of the engine's size, that is its controlling one.
func (e engine) inTerminal(t *testing.T) {
	name := e.name + "-terminal"
	term := e.terminal(t, "run", "--interactive", "--tty", "--name", name, image, "sh", "-c",
		"test -t 0 && test -t 2 && tty && read x </dev/tty && echo got $x && exit 3")
	c := e.have(t, name)
	term.shows("/dev/")
	sized(t, c.pid())
	term.types("this")
	term.shows("got this")
	assert.Equal(t, 3, term.status(), term.text())
}

// sized waits until the terminal of a process has the size that the engine's has.
func sized(t *testing.T, pid int) {
	t.Helper()
	path := fmt.Sprintf("/proc/%d/root/dev/pts/0", pid)
	await(t, func() (bool, string) {
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		require.NoError(t, err)
		defer file.Close()
		rows, columns, err := pty.Getsize(file)
		require.NoError(t, err)
		return rows == 33 && columns == 99, fmt.Sprintf("%d x %d, not 33 x 99", rows, columns)
	})
}

// detached: it goes on by itself, in namespaces of its own.
func (e engine) detached(t *testing.T) {
	c := e.start(t, "exec sleep 1000")
	assert.Equal(t, "running", c.inspect(".State.Status"))
	pid := c.pid()
	assert.Equal(t, "sleep\x001000\x00", proc(t, pid, "cmdline"))
	for _, kind := range []string{"pid", "mnt", "net", "ipc", "uts"} {
		here, err := os.Readlink("/proc/self/ns/" + kind)
		require.NoError(t, err)
		there, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, kind))
		require.NoError(t, err)
		assert.NotEqual(t, here, there)
	}
	// What init had open is not the command's.
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	require.NoError(t, err)
	assert.LessOrEqual(t, len(open), 3+4, "0, 1, 2, and what the Go runtime of sleep opens")
}

// createAndStart: nothing runs before the start, and one that was not started goes.
func (e engine) createAndStart(t *testing.T) {
	dir := shared(t)
	c := e.have(t, e.ok(t, e.shell([]string{"create"},
		[]string{"--volume", dir + ":/data", "echo ran > /data/mark"})...))
	assert.NoFileExists(t, filepath.Join(dir, "mark"))
	e.ok(t, "start", "--attach", c.id)
	assert.FileExists(t, filepath.Join(dir, "mark"))
	c.becomes(".State.Status", "exited")
}

// shared makes a directory that a container may have as a volume.
func shared(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(base, "shared") //nolint:usetesting // it goes with the host
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o777))
	return dir
}

// exec: user, environment, directory, input and status are the engine's words.
func (e engine) exec(t *testing.T) {
	c := e.start(t, "--env", "A=container", "--env", "B=container", "exec sleep 1000")
	r := c.exec("--user", "1234:5678", "--env", "B=exec", "--workdir", "/tmp",
		"id -u; id -g; echo $A $B; pwd; exit 5")
	assert.Equal(t, 5, r.status, r.failure())
	assert.Equal(t, "1234\n5678\ncontainer exec\n/tmp\n", r.out)
	assert.Equal(t, "piped", e.given("piped", "exec", "-i", c.id, "cat").out)
	assert.Equal(t, e.execMissing, e.do("exec", c.id, "no-such-program").status)
	assert.Equal(t, 126, e.do("exec", c.id, "/etc/passwd").status)
	assert.Equal(t, 137, c.exec("sh -c 'kill -9 $$'; exit $?").status)

	// It is in the container's namespaces and cgroup.
	r = c.exec("readlink /proc/self/ns/pid /proc/1/ns/pid; " +
		"cat /proc/self/cgroup; cat /proc/1/cgroup")
	require.NoError(t, r.failure())
	lines := strings.Split(strings.TrimSpace(r.out), "\n")
	assert.Equal(t, lines[0], lines[1])
	half := lines[2:]
	assert.Equal(t, half[:len(half)/2], half[len(half)/2:])
}

// execTerminal: a shell in a terminal, as people have it.
func (e engine) execTerminal(t *testing.T) {
	c := e.start(t, "exec sleep 1000")
	term := e.terminal(t, "exec", "-it", c.id, "sh", "-c",
		"test -t 1 && tty && read x </dev/tty && echo got $x && exit 4")
	term.shows("/dev/")
	sized(t, c.pid())
	term.types("that")
	term.shows("got that")
	assert.Equal(t, 4, term.status(), term.text())
}

// execDetached: the engine does not wait for it.
func (e engine) execDetached(t *testing.T) {
	dir := shared(t)
	c := e.start(t, "--volume", dir+":/data", "exec sleep 1000")
	require.NoError(t, c.exec("--detach", "echo $$ > /data/mark; exec sleep 1000").failure())
	await(t, func() (bool, string) {
		text, _ := os.ReadFile(filepath.Join(dir, "mark")) // it may not be there
		return len(text) > 0, "a mark"
	})
}

// stop: a command that handles SIGTERM ends by itself, another one is killed.
func (e engine) stop(t *testing.T) {
	polite := e.start(t, "trap 'exit 3' TERM; echo ready; while :; do sleep 0.1; done")
	polite.logged("ready")
	e.ok(t, "stop", "--time", "100", polite.id)
	polite.becomes(".State.Status", "exited")
	assert.Equal(t, "3", polite.inspect(".State.ExitCode"))

	deaf := e.start(t, "exec sleep 1000")
	e.ok(t, "stop", "--time", "1", deaf.id)
	assert.Equal(t, "137", deaf.inspect(".State.ExitCode"))
}

// kill: any signal, by name and number.
func (e engine) kill(t *testing.T) {
	c := e.start(t, "trap 'echo usr' USR1; echo ready; while :; do sleep 0.1; done")
	c.logged("ready")
	e.ok(t, "kill", "--signal", "USR1", c.id)
	c.logged("usr")
	assert.Equal(t, "running", c.inspect(".State.Status"))
	e.ok(t, "kill", "--signal", "9", c.id)
	assert.Equal(t, "137", e.ok(t, "wait", c.id))
}

// pause: the cgroup is frozen, and thawed.
func (e engine) pause(t *testing.T) {
	c := e.start(t, "exec sleep 1000")
	e.ok(t, "pause", c.id)
	assert.Equal(t, "paused", c.inspect(".State.Status"))
	frozen := func() string {
		return cgroupFile(t, c.pid(), "freezer", "freezer.state", "cgroup.freeze")
	}
	assert.Contains(t, []string{"FROZEN", "1"}, frozen())
	assert.NotZero(t, c.exec("true").status, "nothing is run in a paused container")
	e.ok(t, "unpause", c.id)
	assert.Equal(t, "running", c.inspect(".State.Status"))
	assert.Contains(t, []string{"THAWED", "0"}, frozen())
	require.NoError(t, c.exec("true").failure())
}

// wait: it returns when the container ends, with its status.
func (e engine) wait(t *testing.T) {
	c := e.start(t, "trap 'exit 9' TERM; echo ready; while :; do sleep 0.1; done")
	c.logged("ready")
	status := make(chan string, 1)
	go func() { status <- e.do("wait", c.id).out }()
	e.ok(t, "kill", "--signal", "TERM", c.id)
	assert.Equal(t, "9\n", <-status)
}

// restart: the same container in another process, by hand and by policy.
func (e engine) restart(t *testing.T) {
	dir := shared(t)
	c := e.start(t, "--volume", dir+":/data", "echo x >> /data/runs; exec sleep 1000")
	first := c.pid()
	e.ok(t, "restart", "--time", "0", c.id)
	assert.NotEqual(t, first, c.pid())
	await(t, func() (bool, string) {
		text, err := os.ReadFile(filepath.Join(dir, "runs"))
		require.NoError(t, err)
		return len(text) == 2*len("x\n"), strconv.Itoa(len(text)) + " bytes of two runs"
	})

	stubborn := e.start(t, "--restart", "on-failure:2", "echo again; exit 6")
	await(t, func() (bool, string) {
		log := e.ok(t, "logs", stubborn.id)
		return log == "again\nagain\nagain", "three runs: " + log
	})
	stubborn.becomes(".State.Status", "exited")
	assert.Equal(t, "6", stubborn.inspect(".State.ExitCode"))
}
