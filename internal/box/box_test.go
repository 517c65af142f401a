//go:build linux

package box_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lab/internal/box"
	"lab/internal/need"
	"lab/internal/sandbox"
)

// TestMain makes this test binary the multi-call program that is tested.
func TestMain(m *testing.M) {
	if status, ok := box.Run(os.Args); ok {
		os.Exit(status)
	}
	os.Exit(sandbox.Run(m))
}

// applets makes a directory with this program under the names of all applets.
func applets(t testing.TB) string {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	dir := t.TempDir()
	for _, name := range box.Applets() {
		require.NoError(t, os.Symlink(self, filepath.Join(dir, name)))
	}
	return dir
}

// shell returns a command that runs a script in the applet sh.
func shell(t testing.TB, dir, script string, args ...string) *exec.Cmd {
	t.Helper()
	args = append([]string{"-c", script}, args...)
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "sh"), args...)
	cmd.Args[0] = "sh"
	cmd.Env = []string{"PATH=" + dir}
	return cmd
}

func TestScripts(t *testing.T) {
	bin := applets(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", bin)
			return nil
		},
	})
}

func TestNamesAreSortedAndOnlyTheyRun(t *testing.T) {
	names := box.Applets()
	assert.True(t, slices.IsSorted(names))
	assert.Contains(t, names, "sh")
	for _, name := range []string{"", "lab", "03-mount", "box.test"} {
		_, ok := box.Run([]string{name})
		assert.False(t, ok, "%q is no applet", name)
	}
	_, ok := box.Run(nil)
	assert.False(t, ok)
}

// The machine's busybox is the oracle: the same command prints the same.
func TestAppletsPrintWhatBusyboxPrints(t *testing.T) {
	busybox := need.Tool(t, "busybox", "busybox-static")
	bin := applets(t)
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o640))
	}
	write("words", "pear 3\napple 10\nfig 2\napple 10\n")
	write("spaced", "a  b c\n\n  d")
	require.NoError(t, os.Mkdir(filepath.Join(dir, "sub"), 0o750))
	require.NoError(t, os.Symlink("words", filepath.Join(dir, "link")))
	require.NoError(t, os.Link(filepath.Join(dir, "words"), filepath.Join(dir, "sub", "hard")))

	for _, command := range []string{
		"cat words spaced", "head -n 2 words", "head -3 words", "head -c 5 words",
		"tail -n 2 words", "tail -1 words", "tail -c 4 words", "tail -n 0 words",
		"wc -l words", "sort words", "sort -r words", "sort -u words", "sort -n -k 2 words",
		"sort -k 2 words", "uniq words", "cut -d _ -f 1 words", "cut -c 2-4 words",
		"cut -f 1-1,3 spaced", "tr a-z A-Z", "tr -d l", "seq 3", "seq 2 2 9", "seq 5 -2 0",
		"grep apple words", "grep -v apple words", "grep -c apple words", "grep -n fig words",
		"grep -i PEAR words", "grep -E (pear|fig) words", `grep \(pear\|fig\) words`,
		"grep -q nothing words", "grep a+ words", "grep -r apple sub", "grep [[:digit:]]0 words",
		"basename /a/b.txt .txt", "basename /", "dirname /a/b", "dirname /a", "dirname a",
		"readlink link",
		"readlink -f link", "realpath sub", "stat -c %a:%s:%h:%F:%u:%g:%n words link sub",
		"stat -c %i:%d:%t:%T words /dev/null", "find . -type f", "find . -name h*",
		"find . -maxdepth 1 -type l", "ls", "ls -1 sub", "ls -a sub", "ls -d sub", "ls -i words",
		"sha256sum words", "uname -s", "uname -r", "uname -n", "uname -m", "hostname", "nproc",
		"id -u", "id -g", "pwd", "echo -n a b", "printf %s-%03d\\n x 7", "test -d sub",
		"test -f sub", "[ 1 -lt 2 ]", "env -i A=1 env", "true", "false",
		"du -s sub", "date +%Y-%m-%d", "which nothing-here", "cat nothing-here",
	} {
		t.Run(command, func(t *testing.T) {
			words := strings.Fields(command)
			ours, ourStatus := run(dir, filepath.Join(bin, words[0]), words[1:]...)
			theirs, theirStatus := run(dir, busybox, words...)
			assert.Equal(t, sorted(words[0], theirs), sorted(words[0], ours))
			assert.Equal(t, theirStatus, ourStatus)
		})
	}
}

// sorted puts the lines of find in order: that of a directory is nobody's.
func sorted(applet, text string) string {
	lines := strings.Split(text, "\n")
	if applet == "find" {
		slices.Sort(lines)
	}
	return strings.Join(lines, "\n")
}

// run returns what a command writes to its standard output and its exit status.
func run(dir, program string, args ...string) (string, int) {
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + filepath.Dir(program) + ":/bin", "HOME=/h", "PWD=" + dir}
	cmd.Stdin = strings.NewReader("hello world\n")
	out, _ := cmd.Output() // The status is compared below.
	return string(out), cmd.ProcessState.ExitCode()
}
