//go:build linux

package trace

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"lab/internal/need"
)

// traced makes the command that runs a script under lab trace.
func traced(t *testing.T, script string, flags ...string) *exec.Cmd {
	t.Helper()
	args := append([]string{"trace"}, flags...)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // a hang is a failure
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, labPath(t), append(args, "--", "sh", "-c", script)...)
	cmd.Env = append(os.Environ(), searchPath)
	cmd.WaitDelay = 10 * time.Second // a child that got away holds the pipe
	return cmd
}

// The command's own exit status is that of lab trace.
func TestExitStatus(t *testing.T) {
	for _, tt := range []struct {
		name, script string
		want         int
	}{
		{"success", "true", 0},
		{"a status", "exit 3", 3},
		{"the highest", "exit 255", 255},
		{"a signal", "kill -TERM $$", 128 + 15},
		{"a signal that cannot be caught", "kill -KILL $$", 128 + 9},
		{"a child that fails later", "(sleep 0.1; exit 9) & exit 4", 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cmd := traced(t, tt.script)
			_ = cmd.Run() // the status tells
			assert.Equal(t, tt.want, cmd.ProcessState.ExitCode())
		})
	}
}

// What a process can see of itself is the same as without trace, but for the
// tracer's pid.
func TestTracedSeesNothing(t *testing.T) {
	const script = `ulimit -n; ulimit -Hn; umask; pwd; env | grep -v ^_= | sort
		ls -l /proc/self/fd | sed 's/.*-> //' | grep -v /proc/
		grep -E '^(Sig|Shd|Cap|NoNew|Groups|Uid)' /proc/self/status | grep -v SigQ
		cat; test -t 0 || echo no terminal; trap`
	seen := func(argv ...string) string {
		cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
		cmd.Stdin = strings.NewReader("what came in\n")
		out, err := cmd.Output()
		require.NoError(t, err)
		return regexp.MustCompile(`(pipe|socket):.*`).ReplaceAllString(string(out), "$1")
	}
	alone := seen("sh", "-c", script)
	assert.Contains(t, alone, "what came in")
	assert.Equal(t, alone, seen(labPath(t), "trace", "--", "sh", "-c", script))

	// The filter can be seen, unless every call is a stop.
	const filter = "grep ^Seccomp: /proc/self/status"
	assert.Equal(t, seen("sh", "-c", filter),
		seen(labPath(t), "trace", "--stops", "--", "sh", "-c", filter))
	if mayInstallSieve() {
		assert.Equal(t, "Seccomp:\t2\n", seen(labPath(t), "trace", "--", "sh", "-c", filter))
	}

	ignoring := `trap "" HUP; exec "$@"`
	alone = seen("sh", "-c", ignoring, "sh", "sh", "-c", script)
	assert.Equal(t, alone, seen("sh", "-c", ignoring, "sh", labPath(t), "trace", "--",
		"sh", "-c", script))
}

// A terminal stays the command's.
func TestTerminal(t *testing.T) {
	cmd := traced(t, "test -t 0 && test -t 1 && test -t 2 && stty size 2>/dev/null; echo done")
	terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 80})
	require.NoError(t, err)
	defer terminal.Close()
	var lines []string
	for scanner := bufio.NewScanner(terminal); scanner.Scan(); {
		lines = append(lines, strings.TrimRight(scanner.Text(), "\r"))
	}
	require.NoError(t, cmd.Wait())
	text := strings.Join(lines, "\n")
	assert.Contains(t, text, "done")
	assert.Contains(t, text, "\x1b[", "it is coloured")
}

// alive reports whether a process of this name's argument runs.
func alive(t *testing.T, mark string) bool {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		line := string(text)
		if err == nil && strings.Contains(line, mark) && !strings.Contains(line, "trace") {
			return true
		}
	}
	return false
}

// started starts a traced script that prints a line when it is ready, and returns
// a mark that its processes carry.
func started(t *testing.T, script string) (cmd *exec.Cmd, mark string) {
	t.Helper()
	mark = fmt.Sprintf("%d.%d", 1000+os.Getpid(), time.Now().UnixNano()%1e9)
	cmd = traced(t, strings.ReplaceAll(script, "MARK", mark), "-o", filepath.Join(t.TempDir(), "o"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: unix.SIGKILL}
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "ready\n", line)
	return cmd, mark
}

// gone waits until no process with the mark is left.
func gone(t *testing.T, mark string) {
	t.Helper()
	assert.Eventually(t, func() bool { return !alive(t, mark) }, 2*time.Minute,
		20*time.Millisecond, "a process is left")
}

// Ctrl-C goes to the whole foreground group. The command ends by it, with the
// status that a shell expects; one that does not care is killed with its children.
func TestInterruptEndsAll(t *testing.T) {
	need.Sandbox(t)
	for _, tt := range []struct {
		name, script string
		want         int
	}{
		{"a command that dies of it", "sleep MARK & echo ready; exec sleep MARK", 128 + 2},
		{
			"a command that does not care", `trap "" INT; sleep MARK & echo ready; sleep MARK`,
			128 + 9,
		},
		{"a command that cleans up", `trap "exit 5" INT; echo ready; sleep MARK & wait; wait`, 5},
		{"a pid namespace", `trap "" INT; unshare --pid --fork sh -c '
			sleep MARK & echo ready; sleep MARK'`, 128 + 9},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel() // most of it is patience
			cmd, mark := started(t, tt.script)
			group := -cmd.Process.Pid
			require.Less(t, group, -1)
			require.NoError(t, unix.Kill(group, unix.SIGINT))
			_ = cmd.Wait() // the status tells
			assert.Equal(t, tt.want, cmd.ProcessState.ExitCode())
			gone(t, mark)
		})
	}
}

// A signal to lab trace alone is passed on to the command.
func TestSignalsArePassedOn(t *testing.T) {
	for signal, want := range map[unix.Signal]int{
		unix.SIGTERM: 15, unix.SIGHUP: 1, unix.SIGUSR1: 10, unix.SIGUSR2: 12,
	} {
		t.Run(unix.SignalName(signal), func(t *testing.T) {
			// A shell has traps between its commands alone, so they are short.
			cmd, mark := started(t, `for s in 1 10 12 15; do trap "exit $s" $s; done
				echo ready; while : MARK; do sleep 0.02; done`)
			require.NoError(t, cmd.Process.Signal(signal))
			_ = cmd.Wait() // the status tells
			assert.Equal(t, want, cmd.ProcessState.ExitCode())
			gone(t, mark)
		})
	}
}

// When lab trace is killed, so is everything that it traced.
func TestKilledTracerLeavesNothing(t *testing.T) {
	cmd, mark := started(t, "setsid sleep MARK & echo ready; sleep MARK")
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait() // it was killed
	gone(t, mark)
}

// A stopped process stays stopped until it is continued, as without trace.
func TestGroupStop(t *testing.T) {
	cmd := traced(t, `sh -c 'kill -STOP $$; echo went on' & child=$!
		until grep -q '^State:.[Tt]' /proc/$child/status; do :; done
		grep ^State /proc/$child/status; sleep 0.2
		grep -q '^State:.[Tt]' /proc/$child/status && echo still stopped
		kill -CONT $child; wait $child`, "-o", os.DevNull)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err)
	assert.Regexp(t, `(?s)still stopped.*went on`, string(out))
}

// Processes that are killed at any moment, between any two stops, are no trouble.
func TestVanishingProcesses(t *testing.T) {
	cmd := traced(t, `echo $$; for i in $(seq 40); do
		sh -c 'sh -c "sh -c :; sleep 99" & sleep 99' & kill -9 $!
		(while :; do sh -c :; done) & echo >/dev/null; kill -9 $!
		done 2>/dev/null; exit 6`, "-o", os.DevNull)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var shell int
	_, err = fmt.Fscan(stdout, &shell)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		_, err := os.Stat(fmt.Sprintf("/proc/%d", shell))
		return err != nil
	}, time.Minute, 10*time.Millisecond)
	// What the shells left behind sleeps on and is waited for, until the second one.
	_ = cmd.Process.Signal(unix.SIGINT) // it may be over
	_ = cmd.Process.Signal(unix.SIGINT)
	_ = cmd.Wait() // the status tells
	status := cmd.ProcessState.Sys().(syscall.WaitStatus)
	// Where nothing was left behind it may have been at its end, and not listening.
	over := status.Signaled() && status.Signal() == unix.SIGINT
	assert.True(t, over || status.ExitStatus() == 6, "%v", cmd.ProcessState)
}

// Every line of --json is an object with its type, and the summary is the last.
func TestJSONLines(t *testing.T) {
	need.Sandbox(t)
	out := filepath.Join(t.TempDir(), "out")
	cmd := traced(t, "unshare --pid --fork --uts hostname x; exit 3", "--json", "-o", out)
	_ = cmd.Run() // the status tells
	assert.Equal(t, 3, cmd.ProcessState.ExitCode())
	var objects []map[string]any
	for line := range strings.Lines(read(t, out)) {
		var object map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &object), line)
		objects = append(objects, object)
	}
	last := objects[len(objects)-1]
	assert.Equal(t, "summary", last["type"])
	assert.InDelta(t, 3, last["exit_status"], 0)
	var sethostname map[string]any
	for _, object := range objects {
		if object["call"] == "sethostname" {
			sethostname = object
		}
	}
	require.NotNil(t, sethostname)
	assert.InDelta(t, 1, sethostname["inner_pid"], 0, "the first in its pid namespace")
	assert.Equal(t, "hostname x", sethostname["shell"])
	assert.Equal(t, "sets the host name to x", sethostname["phrase"])
	assert.Equal(t, `sethostname("x", 1) = 0`, sethostname["text"])
}

// A page is at most 80 columns wide and has the words below the call.
func TestPage(t *testing.T) {
	need.Sandbox(t)
	cmd := traced(t, `unshare --pid --fork --uts hostname x; unshare --user --mount --net \
		--ipc --cgroup true; umount /nowhere; exit 0`)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err)
	text := string(out)
	assert.Contains(t, text, "  unshare(CLONE_NEWUTS|CLONE_NEWPID) = 0\n"+
		"      gets its own host name; its children get their own process numbers\n"+
		"      $ unshare --uts --pid --fork\n")
	assert.Regexp(t, `(?m)^\[\d+, in there 1\] hostname$`, text)
	assert.Contains(t, text, "could not unmount /nowhere")
	assert.Regexp(t, `(?m)^trace: \d+ of \d+ calls shown, \d+ processes; took \d+ ms, `, text)
	for line := range strings.Lines(text) {
		assert.LessOrEqual(t, len(strings.TrimSuffix(line, "\n")), 80, line)
	}
	assert.NotContains(t, text, "\x1b", "no colour into a file")
}

// Everything means every call.
func TestAll(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	cmd := traced(t, "head -n 1 /etc/passwd >/dev/null", "--all", "--raw", "-o", out)
	require.NoError(t, cmd.Run())
	text := read(t, out)
	for _, sign := range []string{
		`openat\(AT_FDCWD, "/etc/passwd", O_RDONLY`, `read\(\d+</etc/passwd>, "root:`,
		`close\(\d+<`, `exit_group\(0\) = \?`, `\+\+\+ exited with 0 \+\+\+`,
	} {
		assert.Regexp(t, sign, text)
	}
	assert.NotContains(t, text, "syscall_", "every call has its name")
}

// A process has one tracer: whoever traces lab trace has its command, too.
func TestTracedTracer(t *testing.T) {
	strace := need.Tool(t, "strace", "strace")
	cmd := exec.CommandContext(t.Context(), strace, "-f", "-o", os.DevNull,
		labPath(t), "trace", "--", "true")
	out, err := cmd.CombinedOutput()
	require.Error(t, err)
	assert.Equal(t, 1, cmd.ProcessState.ExitCode())
	assert.Regexp(t, `^lab: trace true: seize process \d+: it is being traced already, by the `+
		`process that traces us \(pid \d+\): operation not permitted\nhint: leave out`, string(out))
	assert.Equal(t, 2, strings.Count(string(out), "\n"), string(out))
}
