//go:build linux

// Package lessontest types the commands of a lesson and holds what they print
// against what the lesson says.
//
// Each console block is one shell of the machine, so that variables, the
// directory and jobs in the background last until the block ends; then what
// still runs is ended. The directory is an empty one that holds bin/ with the
// lab and the steps, which is also first on PATH. All this happens in the
// throw-away host of the test binary (internal/sandbox).
package lessontest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"lab/internal/course"
	"lab/internal/lesson"
	"lab/internal/need"
	"lab/internal/program"
)

// timeLimit is how long one console block may take, on any machine.
const timeLimit = 5 * time.Minute

// place is where commands are typed.
type place struct {
	dir    string // a new one for each block if none
	bin    string // programs, first on PATH
	rootfs string // what lab makes roots of
}

// Run types every command of the step's README.md, which is in the working
// directory: once with the built-in root, where the output must be the one in
// the text, and once with a root of busybox, where each command must have the
// same exit status as before; its programs print other columns.
func Run(t *testing.T, step string) {
	t.Helper()
	need.Sandbox(t)
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	l, err := lesson.Parse(string(text))
	require.NoError(t, err)
	require.NotEmpty(t, l.Blocks(), "a lesson without a command")

	bin := programs(t, step)
	statuses := map[int]int{} // by line, as on the built-in root
	t.Run("box", func(t *testing.T) {
		eachBlock(t, place{bin: bin, rootfs: "box"}, l, func(c lesson.Command, r result) string {
			statuses[c.Line] = r.status
			return compare(c, r)
		})
	})
	t.Run("busybox", func(t *testing.T) {
		need.Tool(t, "busybox", "busybox-static")
		at := place{bin: bin, rootfs: "busybox"}
		eachBlock(t, at, l, func(c lesson.Command, r result) string {
			if statuses[c.Line] == r.status {
				return ""
			}
			return fmt.Sprintf("exit status %d, want %d\n%s", r.status, statuses[c.Line],
				strings.Join(r.output, "\n"))
		})
	})
}

// Type types every command of another text about a step, on the built-in root.
func Type(t *testing.T, step string, l *lesson.Lesson) {
	t.Helper()
	need.Sandbox(t)
	eachBlock(t, place{bin: programs(t, step), rootfs: "box"}, l, compare)
}

// TypeIn types every command of a text about other programs, which are in bin, all of
// them in one directory.
func TypeIn(t *testing.T, dir, bin string, l *lesson.Lesson) {
	t.Helper()
	need.Sandbox(t)
	eachBlock(t, place{dir: dir, bin: bin, rootfs: "box"}, l, compare)
}

// compare says how what a command printed differs from what the text says.
func compare(c lesson.Command, r result) string {
	if lesson.Match(c.Output, r.output) {
		return ""
	}
	return lesson.Diff(c.Output, r.output)
}

// eachBlock types all blocks. What judge says about a command is an error.
func eachBlock(
	t *testing.T, at place, l *lesson.Lesson,
	judge func(lesson.Command, result) string,
) {
	t.Helper()
	for _, b := range l.Blocks() {
		t.Run(fmt.Sprintf("line %d", b.Line), func(t *testing.T) {
			for i, r := range typeBlock(t, at, b) {
				c := b.Commands[i]
				if said := judge(c, r); said != "" {
					t.Errorf("line %d: %s\n%s", c.Line, c.Text, said)
				}
			}
		})
	}
}

// programs returns a directory with the lab, the step and its ancestors.
func programs(t *testing.T, step string) string {
	t.Helper()
	names := []string{"lab"}
	for _, s := range course.UpTo(step) {
		names = append(names, s.ID)
	}
	paths, err := program.Paths(t.Context(), names...)
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), "bin")
	require.NoError(t, os.Mkdir(dir, 0o755))
	for name, path := range paths {
		require.NoError(t, os.Symlink(path, filepath.Join(dir, name)))
	}
	return dir
}

// result is what one command left.
type result struct {
	output []string
	status int
}

// typeBlock runs a block's commands in one shell and returns a result for each.
func typeBlock(t *testing.T, at place, b lesson.Block) []result {
	t.Helper()
	needs(t, b)
	dir := t.TempDir()
	for _, name := range []string{"home", "tmp"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o755))
	}
	if at.dir == "" {
		at.dir = filepath.Join(dir, "here")
		require.NoError(t, os.Mkdir(at.dir, 0o755))
		require.NoError(t, os.Symlink(at.bin, filepath.Join(at.dir, "bin")))
	}
	mark := fmt.Sprintf("-- %x --", time.Now().UnixNano())

	ctx, cancel := context.WithTimeout(t.Context(), timeLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", script(b, mark))
	cmd.Dir = at.dir
	cmd.Env = append(os.Environ(),
		"PATH="+at.bin+":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME="+filepath.Join(dir, "home"), "TMPDIR="+filepath.Join(dir, "tmp"),
		"PWD="+cmd.Dir, "LAB_BIN="+at.bin, "LAB_ROOTFS_FROM="+at.rootfs, "LC_ALL=C", "COLUMNS=120")
	output := shell(t, cmd)

	var all []result
	for range b.Commands {
		var r result
		r, output = cut(t, output, mark)
		all = append(all, r)
	}
	return all
}

// needs skips a block for which this machine lacks something.
func needs(t *testing.T, b lesson.Block) {
	t.Helper()
	tools := map[string]string{ // with the package of Debian that has it
		"nsenter": "util-linux", "setpriv": "util-linux", "unshare": "util-linux",
		"pgrep": "procps", "ps": "procps", "pstree": "psmisc", "strace": "strace",
	}
	for _, c := range b.Commands {
		for _, word := range strings.FieldsFunc(c.Text, func(r rune) bool {
			return !unicode.IsLetter(r) && r != '-'
		}) {
			if pkg, known := tools[word]; known {
				need.Tool(t, word, pkg)
			}
			if word == "--user" {
				need.UserNS(t)
			}
		}
	}
}

// script makes one text of a block's commands. After each it prints the mark and
// the exit status, and sets the status again so that `echo $?` says it. At the end
// it ends the jobs in the background as a person would, who types exit.
func script(b lesson.Block, mark string) string {
	var s strings.Builder
	s.WriteString(functions)
	job := ""
	for _, c := range b.Commands {
		text := c.Text
		if strings.Count(job, "sleep ") == 1 {
			text = pause.ReplaceAllString(text, "")
		}
		if job != "" && strings.Contains(text, " last") {
			s.WriteString("known\n")
		}
		fmt.Fprintf(&s, "%s\nended '%s'\n", text, mark)
		job = ""
		if strings.HasSuffix(text, " &") {
			job = text
			if all := sleeps.FindAllString(job, -1); all != nil {
				fmt.Fprintf(&s, "ready $! '%s '\n", all[len(all)-1])
			}
		}
	}
	// In a substitution, $(jobs -p), the jobs would be those of another shell.
	s.WriteString("jobs -p >$TMPDIR/jobs; { kill $(cat $TMPDIR/jobs) && wait; } >/dev/null 2>&1\n")
	return s.String()
}

// A person gives a job in the background a second and sees that it is there. A busy
// machine may need longer and an idle one needs less, so the shell waits until the
// last sleep(1) of the job is running, and the second is left out. It stays where the
// job has something else to wait for.
var (
	pause  = regexp.MustCompile(`^sleep [0-9.]+; `)
	sleeps = regexp.MustCompile(`\bsleep [0-9.]+`)
)

// functions are those of the shell: ended prints how a command ended, runs looks
// for a program and its arguments among a process and those below it, ready waits for
// it, and known until lab run has noted who the container is. They do not wait for
// ever: what follows then says what is wrong.
const functions = `ended() { s=$?; printf '%s%d\n' "$1" $s; return $s; }
runs() {
	[ "$(tr '\0' ' ' </proc/$1/cmdline)" = "$2" ] && return
	for child in $(cat /proc/$1/task/*/children); do runs $child "$2" && return; done
	return 1
}
ready() {
	rounds=300
	until runs $1 "$2" || [ $((rounds -= 1)) = 0 ]; do sleep 0.1; done 2>/dev/null
	return 0
}
known() {
	rounds=300
	until lab ns last || [ $((rounds -= 1)) = 0 ]; do sleep 0.1; done >/dev/null 2>&1
	return 0
}
`

// shell runs the shell and returns all that it and its children print. What is
// left of its process group at the end is killed.
func shell(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: unix.SIGKILL}
	cmd.WaitDelay = time.Second
	runtime.LockOSThread() // a Pdeathsig goes by the thread that started the child
	defer runtime.UnlockOSThread()
	require.NoError(t, cmd.Start())
	group := cmd.Process.Pid
	require.Greater(t, group, 1)
	err := cmd.Wait()
	// As long as a member is left the group's number is given to nobody else.
	if unix.Kill(-group, unix.SIGKILL) == nil {
		t.Log("processes were left after the block")
	}
	if cmd.ProcessState == nil || !cmd.ProcessState.Exited() {
		t.Fatalf("the shell did not end by itself: %v\n%s", err, &output)
	}
	return output.String()
}

// cut takes the first command's result off the shell's output.
func cut(t *testing.T, output, mark string) (result, string) {
	t.Helper()
	printed, rest, found := strings.Cut(output, mark)
	require.True(t, found, "the shell ended in the middle of the block:\n%s", output)
	status, rest, _ := strings.Cut(rest, "\n")
	number, err := strconv.Atoi(status)
	require.NoError(t, err)
	var lines []string
	for line := range strings.Lines(printed) {
		lines = append(lines, strings.TrimSuffix(line, "\n"))
	}
	return result{lines, number}, rest
}
