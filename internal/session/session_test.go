//go:build linux

package session

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"lab/internal/course"
	"lab/internal/screen"
)

// patience is how long something may take to be seen; nothing here takes as long.
const patience = 2 * time.Minute

// TestMain is also the program under test: with LAB_SESSION it runs a session on
// its terminal, for only a process of its own has one.
func TestMain(m *testing.M) {
	if dir := os.Getenv("LAB_SESSION"); dir != "" {
		os.Exit(runSession(dir))
	}
	os.Exit(m.Run())
}

// runSession runs a session over a directory, with a script as the lab.
func runSession(dir string) int {
	text := func(name string) Page {
		return func(step course.Step) (string, func(screen.Screen) string, error) {
			return name, func(s screen.Screen) string {
				if name == os.Getenv("LAB_PANIC") {
					panic("a bug") //nolint:forbidigo // to see the terminal after it
				}
				line := fmt.Sprintf("%s of %s, %d wide\n", name, step.ID, s.Width)
				return strings.Repeat(line, 50)
			}, nil
		}
	}
	steps := course.Steps()
	err := Run(context.Background(), Options{
		Step: steps[3], Lab: []string{"/bin/sh", filepath.Join(dir, "lab.sh")},
		Flags: []string{"--workspace", dir},
		Dir:   func(step string) string { return filepath.Join(dir, step) },
		Hint:  text("hint"), Lesson: text("lesson"), List: text("list"),
		Plain: os.Getenv("LAB_PLAIN") != "", Poll: os.Getenv("LAB_POLL") != "",
		In: os.Stdin, Out: os.Stdout,
	})
	if i, ok := errors.AsType[Interrupted](err); ok {
		return 128 + int(i.Signal)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// fakeLab plays lab: what check prints stands in the file events, and what it was
// called with goes to the file calls. A file hang makes it one that never ends.
const fakeLab = `
cd "$(dirname "$0")"
echo "$@" >>calls
case $1 in
check)
	if [ -e hang ]; then
		trap '' TERM
		sleep 1000 &
		echo $$ $! >pids
		while :; do wait; done
	fi
	cat events
	[ ! -e said ] || cat said >&2
	;;
start) mkdir "$2" && echo "made $2" ;;
reset) echo "$2 begins anew; yours is kept"; ;;
esac
`

// The results of two checks: one with a failure, one without.
var (
	//go:embed testdata/failing.jsonl
	failing string
	//go:embed testdata/passing.jsonl
	passing string
)

// player is a session on a terminal, with somebody at the keyboard.
type player struct {
	t      *testing.T
	dir    string
	cmd    *exec.Cmd
	screen *os.File // the terminal's other side
	before unix.Termios
	ended  chan struct{}

	mutex sync.Mutex
	text  string // all that was printed
}

// play starts a session.
func play(t *testing.T, events string, env ...string) *player {
	t.Helper()
	dir := t.TempDir()
	p := &player{t: t, dir: dir, ended: make(chan struct{})}
	p.write("lab.sh", fakeLab)
	p.write("events", events)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "03-mount"), 0o755))
	p.write("03-mount/main.go", "package main\n")
	p.cmd = exec.Command("/proc/self/exe")
	p.cmd.Env = append(os.Environ(), "LAB_SESSION="+dir, "HOME="+dir, "XDG_STATE_HOME=",
		"LC_ALL=C.UTF-8", "TERM=xterm", "NO_COLOR=")
	p.cmd.Env = append(p.cmd.Env, env...)
	var err error
	p.screen, err = pty.StartWithSize(p.cmd, &pty.Winsize{Rows: 24, Cols: 80})
	require.NoError(t, err)
	t.Cleanup(p.close)
	// This may be a moment after the session's own look: the test of what it was
	// like before is the flags that every terminal begins with.
	p.before = p.termios()
	p.before.Lflag |= unix.ICANON | unix.ECHO
	go p.listen()
	return p
}

// close ends what a test has left.
func (p *player) close() {
	_ = p.cmd.Process.Kill() // a test that has failed
	_ = p.cmd.Wait()
	_ = p.screen.Close()
}

// write writes a file into the session's directory.
func (p *player) write(name, text string) {
	p.t.Helper()
	require.NoError(p.t, os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o644))
}

// read reads such a file; one that is not there is empty.
func (p *player) read(name string) string {
	text, _ := os.ReadFile(filepath.Join(p.dir, name))
	return string(text)
}

// listen keeps what the session prints.
func (p *player) listen() {
	defer close(p.ended)
	piece := make([]byte, 4096)
	for {
		n, err := p.screen.Read(piece)
		p.mutex.Lock()
		p.text += string(piece[:n])
		p.mutex.Unlock()
		if err != nil {
			return // EIO: nobody is on the other side any more
		}
	}
}

// printed returns all that was printed.
func (p *player) printed() string {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.text
}

// picture returns the lines of the last whole picture.
func (p *player) picture() []string {
	text := p.printed()
	text = text[:strings.LastIndex(text, "\x1b[J")+1]
	text = text[strings.LastIndex(text, "\x1b[H")+1:]
	text = strings.NewReplacer("[H", "", "\x1b[K", "", "\x1b[1m", "", "\x1b[22m", "", "\x1b[2m", "",
		"\x1b[31m", "", "\x1b[32m", "", "\x1b[0m", "", "\x1b", "").Replace(text)
	return strings.Split(text, "\r\n")
}

// see waits until the picture has a text.
func (p *player) see(text string) {
	p.t.Helper()
	p.until(func() bool { return strings.Contains(strings.Join(p.picture(), "\n"), text) }, text)
}

// until waits for something.
func (p *player) until(holds func() bool, what string) {
	p.t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatalf("%s: not seen; on the screen is\n%s", what, strings.Join(p.picture(), "\n"))
		}
	}
}

// press types keys.
func (p *player) press(keys string) {
	p.t.Helper()
	_, err := p.screen.WriteString(keys)
	require.NoError(p.t, err)
}

// termios returns the terminal's settings.
func (p *player) termios() unix.Termios {
	p.t.Helper()
	settings, err := unix.IoctlGetTermios(int(p.screen.Fd()), unix.TCGETS)
	require.NoError(p.t, err)
	return *settings
}

// ends waits for the end of the session, which leaves the terminal as it was.
func (p *player) ends(status int) {
	p.t.Helper()
	p.waits()
	assert.Equal(p.t, status, p.cmd.ProcessState.ExitCode(), p.printed())
	<-p.ended
	assert.Equal(p.t, p.before, p.termios(), "the terminal's settings")
	text := p.printed()
	assert.Greater(p.t, strings.LastIndex(text, leaveScreen), strings.LastIndex(text, "\x1b[H"))
}

// waits waits for the end of the session's process.
func (p *player) waits() {
	p.t.Helper()
	late := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
	_ = p.cmd.Wait() // the status tells
	if !late.Stop() {
		p.t.Fatal("the session did not end")
	}
}

// calls waits until the lab was called so often with a command.
func (p *player) calls(command string, n int) {
	p.t.Helper()
	p.until(func() bool { return strings.Count(p.read("calls"), command) >= n }, command)
}
