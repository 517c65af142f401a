package oom_test

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/creack/pty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"lab/internal/journal"
	"lab/internal/need"
	"lab/internal/oom"
	"lab/internal/program"
	"lab/internal/sandbox"
)

// TestMain runs the tests in a throw-away host.
func TestMain(m *testing.M) { os.Exit(sandbox.Run(m)) }

// labPath is the program, built or found once.
var labPath = sync.OnceValues(func() (string, error) {
	return program.Path(contextOfAll, "lab")
})

// lab is `lab oom` with a small limit and no time between the steps.
func lab(t *testing.T, flags ...string) *exec.Cmd {
	t.Helper()
	need.Sandbox(t)
	need.Cgroup(t, "memory")
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	path, err := labPath()
	require.NoError(t, err)
	args := append([]string{"oom", "--limit", "16M", "--every", "0", "--no-limit", "0"}, flags...)
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Stderr = t.Output()
	return cmd
}

// show runs lab oom and returns what it tells as JSON.
func show(t *testing.T, flags ...string) oom.Result {
	t.Helper()
	out, err := lab(t, append(flags, "--json")...).Output()
	require.NoError(t, err, string(out))
	var r oom.Result
	require.NoError(t, json.Unmarshal(out, &r))
	return r
}

// before takes a snapshot of the whole throw-away host, with which it is
// compared when the test ends.
func before(t *testing.T) {
	t.Helper()
	snapshot, err := journal.Scope{Whole: true}.Take()
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.Empty(t, journal.Settle(contextOfAll, snapshot), "left behind")
	})
}

// The kill falls at the limit within one step, ten times out of ten, and
// nothing is left.
func TestTenTimes(t *testing.T) {
	lab(t) // or skip before the snapshot
	before(t)
	for range 10 {
		r := show(t)
		assert.True(t, r.AsTold, r.Verdict)
		require.NotNil(t, r.Limited.Kill)
		assert.EqualValues(t, 1, r.Limited.Kill.OOMKills)
		assert.Positive(t, r.Limited.Kill.Hits)
		assert.Equal(t, 137, r.Limited.Status)
		assert.Less(t, r.Limited.Base, int64(8<<20), "the program's own share")
		assert.Positive(t, r.Limited.Base)
		free := r.Limited.Limit - r.Limited.Last().Usage
		assert.LessOrEqual(t, free, r.Step+64<<10, "before the last step")
		assert.NoDirExists(t, r.Limited.Cgroup)
	}
}

// A finer and a coarser step make no difference to where the kill falls.
func TestSteps(t *testing.T) {
	for _, step := range []string{"64K", "300K", "4M"} {
		r := show(t, "--step", step)
		assert.True(t, r.AsTold, "%s: %s", step, r.Verdict)
	}
}

// Without the limit the same program takes more and ends by itself.
func TestContrast(t *testing.T) {
	r := show(t, "--no-limit", "24M")
	require.NotNil(t, r.Contrast)
	assert.Nil(t, r.Contrast.Kill)
	assert.Zero(t, r.Contrast.Status)
	assert.EqualValues(t, 24<<20, r.Contrast.Last().Taken)
	assert.Greater(t, r.Contrast.Last().Usage, r.Limited.Limit)
}

// What is charged before a process is attached stays where it was charged.
func TestAttach(t *testing.T) {
	before(t)
	r := show(t, "--attach")
	assert.True(t, r.AsTold, r.Verdict)
	p := r.Limited
	require.Positive(t, p.Attached)
	moved := p.Samples[p.Attached-1]
	assert.Zero(t, moved.Usage, "nothing of it comes along")
	assert.GreaterOrEqual(t, moved.Old, moved.Taken)
	assert.GreaterOrEqual(t, p.Last().Old+1<<20, moved.Taken, "it is still there at the end")
	assert.Greater(t, p.Last().Taken, p.Limit, "the process holds more than the limit")
}

// The kernel's log has a line about the kill, where it may be read.
func TestKernelLog(t *testing.T) {
	r := show(t)
	require.NotNil(t, r.Limited.Kill)
	if r.Limited.Kill.Log == "" {
		file, err := os.Open("/dev/kmsg")
		require.Error(t, err, "readable, but: %s", r.Limited.Kill.LogHidden)
		assert.Nil(t, file)
		return
	}
	assert.Contains(t, r.Limited.Kill.Log, "(lab-allocator)")
}

// A pipe gets a line for each step and no carriage return.
func TestPlainOutput(t *testing.T) {
	out, err := lab(t, "--no-limit", "20M").Output()
	require.NoError(t, err)
	text := string(out)
	assert.NotContains(t, text, "\r")
	assert.NotContains(t, text, "\x1b")
	assert.Regexp(t, `(?m)^  0\.\d\ds  took   1\.0M  usage`, text)
	assert.Contains(t, text, "killed by the OOM killer after")
	assert.Contains(t, text, "ended by itself: exit status 0")
	assert.Regexp(t, `(?m)^verdict: killed at `, text)
	for line := range strings.Lines(text) {
		assert.LessOrEqual(t, len([]rune(line)), 100, line)
	}
}

// On a terminal one line is written over, and none is wider than the terminal.
func TestTerminal(t *testing.T) {
	for _, width := range []uint16{40, 80, 120} {
		cmd := lab(t, "--attach")
		cmd.Stderr = nil
		terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: width})
		require.NoError(t, err)
		text, _ := io.ReadAll(terminal) // ends with EIO, as a terminal does
		require.NoError(t, cmd.Wait(), string(text))
		require.NoError(t, terminal.Close())
		var lines []string
		for line := range strings.SplitSeq(string(text), "\r") {
			if step, ok := strings.CutSuffix(line, "\x1b[K"); ok {
				lines = append(lines, step)
			}
		}
		require.Greater(t, len(lines), 10)
		for _, line := range lines {
			plain := regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(line, "")
			assert.LessOrEqual(t, utf8.RuneCountInString(plain), int(width), plain)
		}
		assert.Contains(t, string(text), "killed by the OOM killer")
		for line := range strings.Lines(string(text)) {
			before, is := strings.CutPrefix(line, "    before ")
			assert.False(t, is && width >= 80 && len(before)+9 > int(width), line)
		}
	}
}

// Swap and an old cgroup leave no room for all that could be told at 80 columns:
// what comes last is left out, and nothing is cut.
func TestANarrowTerminal(t *testing.T) {
	var out strings.Builder
	p := oom.Printer{Out: &out, Live: true, Width: 80}
	sample := oom.Sample{
		Milliseconds: 1200, Taken: 3 << 20, Usage: 4 << 20, PSS: 9 << 20,
		Hits: 123, Old: 1, Swap: 1,
	}
	p.Took(oom.Phase{Limit: 30 << 20}, sample)
	line := "  1.20s  took   3.0M  usage   4.0M  swap   0.0M  before   0.0M  limit hit 123×"
	assert.Equal(t, "\r"+line+"\x1b[K", out.String())
}

// Whenever it is interrupted or killed, nothing is left: by itself, or after a
// clean.
func TestInterruptedAndKilled(t *testing.T) {
	before(t)
	for i, sig := range []unix.Signal{
		unix.SIGINT, unix.SIGKILL, unix.SIGTERM, unix.SIGKILL, unix.SIGKILL, unix.SIGKILL,
	} {
		cmd := lab(t, "--every", "10ms", "--attach")
		require.NoError(t, cmd.Start())
		time.Sleep(time.Duration(20+i*25) * time.Millisecond) // the moment is what is tried out
		require.NoError(t, cmd.Process.Signal(sig))
		require.Error(t, cmd.Wait())
		if sig != unix.SIGKILL {
			continue
		}
		path, err := labPath()
		require.NoError(t, err)
		out, err := exec.CommandContext(t.Context(), path, "clean").CombinedOutput()
		require.NoError(t, err, string(out))
		left, err := filepath.Glob("/sys/fs/cgroup/*/lab-*")
		require.NoError(t, err)
		assert.Empty(t, left, string(out))
	}
}

// Who may make no cgroup is told so in one line, and what helps.
func TestNoCgroup(t *testing.T) {
	need.Sandbox(t)
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	path, err := labPath()
	require.NoError(t, err)
	const line = `mount -t tmpfs none /sys/fs/cgroup && exec "$0" oom`
	cmd := exec.CommandContext(t.Context(), "sh", "-c", line, path)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	require.Error(t, err)
	assert.Equal(t, 1, cmd.ProcessState.ExitCode())
	assert.Regexp(t, "^lab: no cgroup can be made here: [^\n]+\nhint: [^\n]+\n$", string(out))
}

// An ordinary user has a limit in a cgroup that was delegated, alone in it, as
// systemd-run --user --scope -p Delegate=yes leaves one. Afterwards it is as
// before.
func TestDelegated(t *testing.T) {
	need.RealRoot(t)
	need.CgroupV2(t)
	cmd := lab(t, "--json")
	const uid = 54321
	dir := filepath.Join("/sys/fs/cgroup", "delegated")
	require.NoError(t, os.Mkdir(dir, 0o755))
	defer func() { assert.NoError(t, os.Remove(dir)) }()
	for _, name := range []string{"", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"} {
		require.NoError(t, os.Chown(filepath.Join(dir, name), uid, uid))
	}
	open, err := os.Open(dir)
	require.NoError(t, err)
	defer open.Close()
	state := os.Getenv("XDG_STATE_HOME")
	require.NoError(t, os.Chown(state, uid, uid))
	require.NoError(t, os.Chmod(filepath.Dir(state), 0o755)) // the user has to get through
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential:  &syscall.Credential{Uid: uid, Gid: uid},
		UseCgroupFD: true, CgroupFD: int(open.Fd()),
	}
	out, err := cmd.Output()
	require.NoError(t, err, string(out))
	var r oom.Result
	require.NoError(t, json.Unmarshal(out, &r))
	assert.True(t, r.AsTold, r.Verdict)
	assert.Equal(t, dir, filepath.Dir(r.Limited.Cgroup))
	handedOn, err := os.ReadFile(filepath.Join(dir, "cgroup.subtree_control"))
	require.NoError(t, err)
	assert.Empty(t, strings.TrimSpace(string(handedOn)))
}
