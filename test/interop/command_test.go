package interop

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// long is more than any one command or state takes, also where much else is done.
const long = 2 * time.Minute

// result is how a command has ended.
type result struct {
	command  string
	status   int // -1: a signal, ours above all
	out, err string
}

// failure is an error that says all there is, unless the command has succeeded.
func (r result) failure() error {
	return r.failureBut(0)
}

// failureBut is failure for a command that has to end with a status.
func (r result) failureBut(status int) error {
	if r.status == status {
		return nil
	}
	return fmt.Errorf("%s: status %d, not %d: %s%s", r.command, r.status, status, r.out, r.err)
}

// command describes a command that cannot hang: it is a process group of its own, which
// is killed when the time is up. The environment is the engines', in which programs are
// Debian's.
func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = base + "/tmp"
	cmd.Env = []string{
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + base + "/home",
		"TMPDIR=" + base + "/tmp", "TERM=xterm", "LANG=C",
		"CONTAINERS_CONF=" + base + "/containers.conf",
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error {
		// It has not been waited for, so the number is still its group's.
		return unix.Kill(-cmd.Process.Pid, unix.SIGKILL)
	}
	return cmd
}

// run runs a command to its end.
func run(name string, args ...string) result {
	ctx, cancel := context.WithTimeout(context.Background(), long)
	defer cancel()
	return finish(command(ctx, name, args...))
}

// finish runs a command to its end. Its output goes to files: a container that goes on
// may keep them open, and nobody waits for that.
func finish(cmd *exec.Cmd) result {
	r := result{command: strings.Join(cmd.Args, " ")}
	var files [2]*os.File
	for i := range files {
		file, err := os.CreateTemp(base+"/tmp", "output")
		if err != nil {
			return r.not(err)
		}
		defer os.Remove(file.Name())
		defer file.Close()
		files[i] = file
	}
	cmd.Stdout, cmd.Stderr = files[0], files[1]
	err := cmd.Run()
	if _, isExit := errors.AsType[*exec.ExitError](err); err != nil && !isExit {
		return r.not(err)
	}
	var texts [2]string
	for i, file := range files {
		text, err := os.ReadFile(file.Name())
		if err != nil {
			return r.not(err)
		}
		texts[i] = string(text)
	}
	r.status, r.out, r.err = cmd.ProcessState.ExitCode(), texts[0], texts[1]
	return r
}

// not is the result of a command that could not be run.
func (r result) not(err error) result {
	r.status, r.err = -1, err.Error()
	return r
}

// terminal is a command in a terminal of its own.
type terminal struct {
	t      *testing.T
	screen *os.File
	cmd    *exec.Cmd
	ended  chan struct{} // closed when all is read

	mutex sync.Mutex
	seen  strings.Builder
}

// inTerminal starts a command in a terminal of 33 rows and 99 columns.
func inTerminal(t *testing.T, name string, args ...string) *terminal {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), long)
	t.Cleanup(cancel)
	term := &terminal{t: t, cmd: command(ctx, name, args...), ended: make(chan struct{})}
	term.cmd.SysProcAttr = nil // pty gives it a session of its own, and so a group
	screen, err := pty.StartWithSize(term.cmd, &pty.Winsize{Rows: 33, Cols: 99})
	require.NoError(t, err)
	term.screen = screen
	t.Cleanup(func() { _ = screen.Close() }) // it is only read
	go term.read()
	return term
}

// read collects what is printed until the terminal has no other end: EIO.
func (term *terminal) read() {
	defer close(term.ended)
	buffer := make([]byte, 4096)
	for {
		n, err := term.screen.Read(buffer)
		term.mutex.Lock()
		term.seen.Write(buffer[:n])
		term.mutex.Unlock()
		if err != nil {
			return
		}
	}
}

// text is what was printed so far.
func (term *terminal) text() string {
	term.mutex.Lock()
	defer term.mutex.Unlock()
	return term.seen.String()
}

// shows waits for a text.
func (term *terminal) shows(text string) {
	term.t.Helper()
	await(term.t, func() (bool, string) {
		ended := false
		select {
		case <-term.ended:
			ended = true
		default:
		}
		there := strings.Contains(term.text(), text)
		if ended && !there {
			require.FailNow(term.t, "it has ended", "without %s in: %s", text, term.text())
		}
		return there, text + " in: " + term.text()
	})
}

// types types a line.
func (term *terminal) types(line string) {
	term.t.Helper()
	_, err := term.screen.WriteString(line + "\n")
	require.NoError(term.t, err)
}

// end ends a command that would go on for ever.
func (term *terminal) end() {
	term.t.Helper()
	_ = term.cmd.Cancel() // it may have ended
	term.status()
}

// status waits for the end and returns the exit status.
func (term *terminal) status() int {
	term.t.Helper()
	_ = term.cmd.Wait() // the state tells more
	select {
	case <-term.ended:
	case <-time.After(long):
		term.t.Fatal("somebody keeps the terminal open")
	}
	return term.cmd.ProcessState.ExitCode()
}

// await waits until something is so; it tells what is waited for, should it not come.
func await(t *testing.T, holds func() (bool, string)) {
	t.Helper()
	const pause = 20 * time.Millisecond
	for end := time.Now().Add(long); ; time.Sleep(pause) {
		done, what := holds()
		if done {
			return
		}
		if time.Now().After(end) {
			require.FailNow(t, "this does not come: "+what)
		}
	}
}
