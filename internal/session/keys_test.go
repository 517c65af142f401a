//go:build linux

package session

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"lab/internal/screen"
)

// The screen has the step, the path, the failure with all there is to know, and
// what passed.
func TestFailureIsShown(t *testing.T) {
	p := play(t, failing)
	p.see("FAIL  2 passed, 1 failed, 0 skipped")
	all := strings.Join(p.picture(), "\n")
	assert.Len(t, p.picture(), 24)
	for _, line := range []string{
		"03-mount: a root file system of its own",
		"[···>·····] 0 of 9 steps passed",
		"FAIL  the old root is gone",
		"      expected         no more mounts",
		"      the kernel says  mountinfo has /old?[2J",
		"      diagnosis        The old root is still mounted.",
		"      look             cat /proc/7/mountinfo",
		"      run it again     03-mount run -rootfs /r sh",
		"PASS  its root is the given directory",
		"PASS  1 checks of the steps before",
		"a save in ",
		legend,
	} {
		assert.Contains(t, all, line)
	}
	assert.Contains(t, p.read("calls"), "check 03-mount --json --workspace "+p.dir)
	p.press("q")
	p.ends(0)
}

// A save starts a check, and what was shown gives way to its result. Nothing else
// happens by itself.
func TestSave(t *testing.T) {
	for _, env := range []string{"LAB_POLL=", "LAB_POLL=1"} {
		t.Run(env, func(t *testing.T) {
			p := play(t, failing, env)
			p.see("1 failed")
			p.write("events", passing)
			p.write("03-mount/main.go", "package main // mended\n")
			p.see("PASS  all of it: 1 passed, 0 skipped")
			p.see("n goes on to the next step.")
			assert.Equal(t, 2, strings.Count(p.read("calls"), "check"))
			p.press("q")
			p.ends(0)
		})
	}
}

func TestCheckAgain(t *testing.T) {
	p := play(t, failing)
	p.see("1 failed")
	p.write("events", passing)
	p.press("c")
	p.see("all of it")
	p.press("q")
	p.ends(0)
}

// The texts are read in the session, and at the terminal's width.
func TestTexts(t *testing.T) {
	p := play(t, failing)
	p.see("1 failed")
	for key, name := range map[string]string{"h": "hint", "s": "lesson", "l": "list"} {
		p.press(key)
		p.see(name + " of 03-mount, 80 wide")
		p.see("lines more: space")
		p.see(pageLegend)
		p.press("   ")
		p.until(func() bool {
			return !strings.Contains(strings.Join(p.picture(), "\n"), "lines more")
		}, "the end of the text")
		p.press("\x1b[5~\x1b[A")
		p.press("b")
		require.NoError(t, pty.Setsize(p.screen, &pty.Winsize{Rows: 24, Cols: 60}))
		p.see(name + " of 03-mount, 60 wide")
		p.press("x")
		p.see("FAIL  the old root is gone")
		require.NoError(t, pty.Setsize(p.screen, &pty.Winsize{Rows: 24, Cols: 80}))
		p.until(func() bool { return strings.Contains(p.picture()[23], "q quit") }, "80 columns")
	}
	p.press("q")
	p.ends(0)
}

// Who has passed goes on with n, and the next step is started for them.
func TestNext(t *testing.T) {
	p := play(t, passing)
	p.see("all of it")
	state := filepath.Join(p.dir, ".local", "state", "lab")
	require.NoError(t, os.MkdirAll(state, 0o755))
	p.write(".local/state/lab/progress", "03-mount passed\n")
	p.press("c")
	p.see("1 of 9 steps passed")
	p.press("n")
	p.see("04-net: network devices of its own")
	assert.Contains(t, p.read("calls"), "start 04-net --workspace")
	p.calls("check 04-net", 1)
	p.write("04-net/main.go", "package main\n")
	p.calls("check 04-net", 2)
	p.press("q")
	p.ends(0)
}

// Who has not passed is asked.
func TestNextAsks(t *testing.T) {
	p := play(t, failing)
	p.see("1 failed")
	p.press("n")
	p.see("03-mount has not passed yet. Go on to 04-net? y is yes")
	p.press("x")
	p.see("nothing was done")
	require.NoError(t, os.Mkdir(filepath.Join(p.dir, "04-net"), 0o755))
	p.press("n")
	p.see("y is yes")
	p.press("y")
	p.see("04-net: network devices")
	assert.NotContains(t, p.read("calls"), "start", "it was started already")
	p.press("q")
	p.ends(0)
}

// A start that fails is said, and the session stays where it is.
func TestNextFails(t *testing.T) {
	p := play(t, failing)
	p.see("1 failed")
	p.write("lab.sh", "echo 'lab: the parent does not pass' >&2; exit 1")
	p.press("n")
	p.see("y is yes")
	p.press("y")
	p.see("lab start 04: the parent does not pass")
	p.see("03-mount: a root")
	p.press("q")
	p.ends(0)
}

func TestReset(t *testing.T) {
	p := play(t, failing)
	p.see("1 failed")
	p.press("r")
	p.see("Begin 03-mount anew, with a backup of your program? y is yes")
	p.press("n")
	p.see("nothing was done")
	assert.NotContains(t, p.read("calls"), "reset")
	p.press("r")
	p.see("y is yes")
	p.press("y")
	p.see("03-mount begins anew; yours is kept")
	assert.Contains(t, p.read("calls"), "reset 03-mount --yes")
	p.calls("check", 2)
	p.press("q")
	p.ends(0)
}

func TestOtherKeys(t *testing.T) {
	p := play(t, failing)
	p.see("1 failed")
	p.press("z")
	p.see(`'z' does nothing here`)
	p.press("\x1b[15~\x1b[B \x1b[6~")
	p.press("q")
	p.ends(0)
}

func TestTyped(t *testing.T) {
	assert.Equal(t, []rune{'q', keyUp, 'é', keyPageDown, keyDown},
		typed("q\x1b[Aé\x1b[15~\x1b[6~\x1bOB\x1b[1;5C"))
	assert.Equal(t, []rune{keyEscape}, typed("\x1b"))
	assert.Equal(t, []rune{keyEscape, 'x'}, typed("\x1bx"))
	assert.Empty(t, typed("\x1b["))
	assert.Empty(t, typed("\x1b[1"))
}

// Whatever the size, the picture fits.
func TestResize(t *testing.T) {
	p := play(t, failing)
	p.see("1 failed")
	for _, size := range []pty.Winsize{
		{Rows: 8, Cols: 30},
		{Rows: 50, Cols: 200},
		{Rows: 3, Cols: 12},
		{Rows: 1, Cols: 1},
		{Rows: 24, Cols: 120},
	} {
		before := len(p.printed())
		require.NoError(t, pty.Setsize(p.screen, &size))
		drawn := func() bool { return strings.Contains(p.printed()[before:], "\x1b[J") }
		p.until(drawn, "a picture")
		p.until(func() bool { return len(p.picture()) == int(size.Rows) }, "its lines")
		for _, line := range p.picture() {
			assert.LessOrEqual(t, screen.Width(line), int(size.Cols), "%q at %v", line, size)
		}
	}
	p.see("FAIL  the old root is gone")
	p.press("q")
	p.ends(0)
}

// The signals that end a program end it with the terminal put back.
func TestSignals(t *testing.T) {
	for _, s := range []unix.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT} {
		t.Run(unix.SignalName(s), func(t *testing.T) {
			p := play(t, failing)
			p.see("1 failed")
			require.NoError(t, p.cmd.Process.Signal(s))
			p.ends(128 + int(s))
		})
	}
}

func TestControlC(t *testing.T) {
	p := play(t, failing)
	p.see("1 failed")
	p.press("\x03")
	p.ends(130)
}

// Ctrl-Z gives the terminal back, and to continue takes it again.
func TestControlZ(t *testing.T) {
	p := play(t, failing)
	p.see("1 failed")
	p.press("\x1a")
	stat := "/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/stat"
	p.until(func() bool {
		text, err := os.ReadFile(stat)
		return err == nil && strings.Contains(string(text), ") T ")
	}, "a stopped process")
	assert.Equal(t, p.before, p.termios())
	left := func() bool { return strings.HasSuffix(p.printed(), leaveScreen) }
	p.until(left, "the shell's screen")
	before := len(p.printed())
	require.NoError(t, p.cmd.Process.Signal(unix.SIGCONT))
	p.until(func() bool { return strings.Contains(p.printed()[before:], "\x1b[J") }, "a picture")
	assert.NotEqual(t, p.before, p.termios())
	p.press("q")
	p.ends(0)
}

// Even a bug leaves the terminal as it was.
func TestPanic(t *testing.T) {
	p := play(t, failing, "LAB_PANIC=lesson")
	p.see("1 failed")
	p.press("s")
	p.ends(2)
	assert.Contains(t, p.printed(), "panic: a bug")
}

// One in another goroutine ends the session in its own.
func TestPanicElsewhere(t *testing.T) {
	s := &session{later: make(chan func())}
	s.guard(t.Context(), func() { panic("elsewhere") }) //nolint:forbidigo // see above
	do := <-s.later
	assert.Panics(t, do)
}

// A program that neither builds nor ends is ended whole, with what it has started,
// when there is a new save.
func TestHangingCheckIsEnded(t *testing.T) {
	t.Parallel() // with the next one: both wait for what ignores a signal
	p := play(t, failing)
	p.see("1 failed")
	p.write("hang", "")
	p.press("c")
	p.until(func() bool { return len(strings.Fields(p.read("pids"))) == 2 }, "two processes")
	require.NoError(t, os.Remove(filepath.Join(p.dir, "hang")))
	p.write("events", passing)
	p.write("03-mount/main.go", "package main // it ends now\n")
	p.see("all of it")
	for pid := range strings.FieldsSeq(p.read("pids")) {
		p.until(func() bool { return gone(t, pid) }, "the end of "+pid)
	}
	p.press("q")
	p.ends(0)
}

// The same when the session is left.
func TestHangingCheckEndsWithTheSession(t *testing.T) {
	t.Parallel()
	p := play(t, failing)
	p.see("1 failed")
	p.write("hang", "")
	p.press("c")
	p.until(func() bool { return len(strings.Fields(p.read("pids"))) == 2 }, "two processes")
	begun := time.Now()
	p.press("q")
	left := func() bool { return strings.HasSuffix(p.printed(), leaveScreen) }
	p.until(left, "the shell's screen")
	assert.Less(t, time.Since(begun), grace, "the terminal is given back at once")
	p.ends(0)
	for pid := range strings.FieldsSeq(p.read("pids")) {
		p.until(func() bool { return gone(t, pid) }, "the end of "+pid)
	}
}

// gone reports whether a process has ended; a zombie has.
func gone(t *testing.T, pid string) bool {
	t.Helper()
	text, err := os.ReadFile("/proc/" + pid + "/stat")
	_, state, _ := strings.Cut(string(text), ") ")
	return err != nil || strings.HasPrefix(state, "Z")
}

// What the compiler says is shown as it is.
func TestBuildFails(t *testing.T) {
	p := play(t, `{"event":"build","ok":false,"output":"./main.go:7:2: undefined: x\n\tmore"}`+"\n")
	p.see("FAIL  it does not build")
	p.see("./main.go:7:2: undefined: x")
	p.press("q")
	p.ends(0)
}

// A check without a result says why.
func TestTrouble(t *testing.T) {
	p := play(t, "no event\n{\"event\":7}\n")
	p.see("the check ended without a result")
	p.write("said", "lab: there is no program of yours\nhint: lab start 03\n")
	p.press("c")
	p.see("lab: there is no program of yours")
	p.see("hint: lab start 03")
	p.press("q")
	p.ends(0)
}

// Plain output is appended, without a sequence that moves the cursor; the keys work.
func TestPlain(t *testing.T) {
	p := play(t, failing, "LAB_PLAIN=1", "NO_COLOR=1")
	p.until(func() bool { return strings.Contains(p.printed(), "2 passed, 1 failed") }, "a result")
	p.press("l")
	p.until(func() bool { return strings.Contains(p.printed(), "list of 03-mount") }, "the list")
	p.write("03-mount/main.go", "package main // saved\n")
	p.until(func() bool { return strings.Count(p.printed(), "checking 03-mount") == 2 }, "a check")
	p.until(func() bool { return strings.Count(p.printed(), "1 failed") == 2 }, "its result")
	p.press("q")
	p.waits()
	<-p.ended
	assert.NotContains(t, p.printed(), "\x1b[H")
	assert.NotContains(t, p.printed(), "\x1b[?")
	assert.Equal(t, p.before, p.termios())
	assert.Contains(t, p.printed(), "FAIL  the old root is gone\r\n      expected         no more")
}
