package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/creack/pty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// terminal is one at which somebody has called mini.
type terminal struct {
	t      *testing.T
	cmd    *exec.Cmd
	screen *os.File
	read   chan struct{} // closed when nothing more is printed

	mu   sync.Mutex
	seen strings.Builder
}

// atTerminal calls mini at a terminal of 33 rows and 99 columns.
func (m *mini) atTerminal(args ...string) *terminal {
	m.t.Helper()
	term := &terminal{t: m.t, cmd: m.command(args...), read: make(chan struct{})}
	var err error
	term.screen, err = pty.StartWithSize(term.cmd, &pty.Winsize{Rows: 33, Cols: 99})
	require.NoError(m.t, err)
	m.t.Cleanup(func() { _ = term.screen.Close() }) // it may be closed
	go term.watch()
	return term
}

// watch collects what is printed until nobody has the other end: EIO.
func (term *terminal) watch() {
	defer close(term.read)
	buffer := make([]byte, 4096)
	for {
		n, err := term.screen.Read(buffer)
		term.mu.Lock()
		term.seen.Write(buffer[:n])
		term.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// text is what was printed so far.
func (term *terminal) text() string {
	term.mu.Lock()
	defer term.mu.Unlock()
	return term.seen.String()
}

// types types keys, as they are.
func (term *terminal) types(keys string) {
	term.t.Helper()
	_, err := term.screen.WriteString(keys)
	require.NoError(term.t, err)
}

// answers types a line again and again until something is shown: who begins to read may
// throw away what was typed before.
func (term *terminal) answers(line, want string) {
	term.t.Helper()
	defer func() {
		if term.t.Failed() {
			term.t.Logf("on the screen: %q", term.text())
		}
	}()
	tries := 0
	eventually(term.t, line+" shows "+want, func() bool {
		if tries%200 == 0 {
			term.types(line + "\r")
		}
		tries++
		return strings.Contains(term.text(), want)
	})
}

// ends waits for the end of mini and returns its status.
func (term *terminal) ends() int {
	term.t.Helper()
	<-term.read
	_ = term.cmd.Wait() // its status is looked at
	return term.cmd.ProcessState.ExitCode()
}

// size is that of a container's terminal, as its kernel has it.
func size(t *testing.T, pid, name string) string {
	t.Helper()
	file, err := os.OpenFile("/proc/"+pid+"/root"+name, os.O_RDONLY|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	defer file.Close()
	ws, err := unix.IoctlGetWinsize(int(file.Fd()), unix.TIOCGWINSZ)
	require.NoError(t, err)
	return fmt.Sprint(ws.Row, "x", ws.Col)
}

// At a terminal the container has one of its own, with our size, keys and all; it is left
// with two of them, and taken up again.
func TestTerminal(t *testing.T) {
	m := newMini(t)
	term := m.atTerminal("run", "-it", "--name", "web", "base", "sh")
	term.answers("tty", "/dev/pts/0")
	pid := m.ok("inspect", "-f", "{{.State.Pid}}", "web")
	sized := func(want, name string) {
		t.Helper()
		eventually(t, want, func() bool { return size(t, pid, name) == want })
	}
	sized("33x99", "/dev/pts/0")
	require.NoError(t, pty.Setsize(term.screen, &pty.Winsize{Rows: 40, Cols: 120}))
	sized("40x120", "/dev/pts/0")

	// Ctrl-C is a key: it ends what runs in the foreground, and not the container.
	term.types("echo begun > /begun; sleep 1000\r")
	eventually(t, "it sleeps", func() bool {
		return strings.Contains(m.ok("exec", "web", "ps"), "sleep 1000")
	})
	term.types("\x03")
	term.answers("echo $((40+2))", "42")
	term.types("\x10\x11")
	assert.Zero(t, term.ends(), "it was left")
	assert.Equal(t, "running", m.status("web"))

	// Others sit before it with keys of their own to leave it.
	again := m.atTerminal("attach", "--detach-keys", "ctrl-a,d", "web")
	again.answers("echo $((6*9))", "54")
	sized("33x99", "/dev/pts/0")
	again.types("\x01d")
	assert.Zero(t, again.ends())

	// A second process has a terminal of its own.
	second := m.atTerminal("exec", "-it", "web", "sh")
	second.answers("tty", "/dev/pts/1")
	sized("33x99", "/dev/pts/1")
	second.types("exit 5\r")
	assert.Equal(t, 5, second.ends())

	last := m.atTerminal("attach", "web")
	last.answers("echo $((6*7*2))", "84")
	last.types("exit 7\r")
	assert.Equal(t, 7, last.ends())
	assert.Equal(t, "exited", m.status("web"))
}

// The debugger has tools where the container has none, and nobody else sees them.
func TestDebug(t *testing.T) {
	m := newMini(t)
	m.web("--hostname", "shell-less")
	term := m.atTerminal("debug", "web")
	term.answers("hostname", "shell-less")
	term.types("exit 6\r")
	assert.Equal(t, 6, term.ends())
	assert.Contains(t, m.ok("debug", "web", "readlink", "/proc/self/exe"), "mini")
	assert.Contains(t, m.ok("debug", "web", "sh", "-c", "echo $PATH; touch /made"), "/proc/driver:")
	assert.NotContains(t, m.ok("exec", "web", "ls", "/proc/driver"), "mini")
	assert.Equal(t, "/made", m.ok("exec", "web", "ls", "/made"), "the files are the container's")
	for _, kind := range []string{"pid", "net", "ipc", "uts", "cgroup"} {
		link := "/proc/self/ns/" + kind
		own := m.ok("exec", "web", "readlink", link)
		assert.Equal(t, own, m.ok("debug", "web", "readlink", link))
	}
	for want, command := range map[int][]string{
		127: {"nosuch"}, 126: {"/etc"}, 137: {"sh", "-c", "kill -9 $$"},
	} {
		assert.Equal(t, want, m.do(append([]string{"debug", "web"}, command...)...).status)
	}
	m.ok("stop", "web")
	assert.Equal(t, 125, m.do("debug", "web").status)
}
