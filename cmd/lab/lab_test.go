//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"lab/internal/course"
	"lab/internal/journal"
	"lab/internal/need"
	"lab/internal/program"
	"lab/internal/sandbox"
	"lab/internal/tour"
)

// TestMain runs the tests in a throw-away host.
func TestMain(m *testing.M) { os.Exit(sandbox.Run(m)) }

// programs returns the directory that holds lab and all steps.
func programs(t *testing.T) string {
	t.Helper()
	names := []string{"lab"}
	for _, s := range course.Steps() {
		names = append(names, s.ID)
	}
	paths, err := program.Paths(t.Context(), names...)
	require.NoError(t, err)
	return filepath.Dir(paths["lab"])
}

// TestScripts runs the command lines of testdata, one behaviour a file.
func TestScripts(t *testing.T) {
	bin := programs(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", bin+":"+os.Getenv("PATH"))
			env.Setenv("LAB_BIN", bin)
			env.Setenv("HOME", env.WorkDir)
			return nil
		},
	})
}

// lab runs the toolkit and returns what it printed on both streams and its
// exit status.
func lab(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(programs(t), "lab"), args...)
	var out, errOut strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errOut
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	_ = cmd.Run() // the status tells
	return out.String(), errOut.String(), cmd.ProcessState.ExitCode()
}

// tourable returns the steps that can be shown here. Who is root of a user
// namespace with one id has no other to give to the container of 08.
func tourable() (steps []string) {
	facts := need.Look()
	for _, s := range course.Steps() {
		limits := s.ID != "05-cgroups" || need.TryCgroup("memory") == nil
		users := s.ID != "08-user" || facts.RealRoot
		if limits && users {
			steps = append(steps, s.ID)
		}
	}
	return steps
}

func TestTour(t *testing.T) {
	need.Sandbox(t)
	need.Overlay(t)
	steps := tourable()
	stdout, stderr, status := lab(t, append([]string{"tour"}, steps...)...)
	require.Zero(t, status, stdout+stderr)
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	verdict := fmt.Sprintf("^%d shown, 0 skipped, host unchanged: mounts, links, ", len(steps))
	assert.Regexp(t, verdict, lines[len(lines)-1])
	assert.NotContains(t, stdout, "FAIL")
	for s := range strings.SplitSeq(stdout, "\n\n") {
		assert.LessOrEqual(t, strings.Count(s, "\n"), 24, "a step fits a screen: %s", s)
	}
}

// An ordinary user sees all that needs no root of the host.
func TestTourOfOrdinaryUser(t *testing.T) {
	need.RealRoot(t)
	need.Sandbox(t)
	need.UserNS(t)
	const uid = 54321
	home := account(t)
	bin := lend(t, programs(t)) // the cache is in root's home
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "lab"), "tour")
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + home}
	cmd.Dir = home
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Regexp(t, `(?m)^8 shown, 1 skipped, host unchanged: mounts, links, `, string(out))
	assert.Contains(t, string(out), "SKIP: no cgroup is delegated to uid 54321")
	assert.Contains(t, string(out), "note: an ordinary user may make no bridge on the host")
}

// A value of the tour is printed by the command that stands with it, too.
func TestTourHoldsItsContainer(t *testing.T) {
	need.Sandbox(t)
	for _, step := range []string{"01-uts", "03-mount"} {
		t.Run(step, func(t *testing.T) {
			self := filepath.Join(programs(t), "lab")
			cmd := exec.CommandContext(t.Context(), self, "tour", "--hold", step)
			cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
			stdin, err := cmd.StdinPipe()
			require.NoError(t, err)
			stdout, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			text := readUntil(t, stdout, "Enter ends it.")

			_, held, found := strings.Cut(text, "The container's process is ")
			require.True(t, found, text)
			pid, _, _ := strings.Cut(held, " ")
			link, err := os.Readlink("/proc/" + pid + "/ns/" + map[string]string{
				"01-uts": "uts", "03-mount": "mnt",
			}[step])
			require.NoError(t, err)
			_, inode, _ := strings.Cut(strings.TrimSuffix(link, "]"), "[")
			assert.Contains(t, text, inode, "what readlink prints in another terminal")

			_, err = stdin.Write([]byte("\n"))
			require.NoError(t, err)
			rest := readUntil(t, stdout, "compared")
			assert.Contains(t, rest, "1 shown, 0 skipped")
			require.NoError(t, cmd.Wait())
			assert.NoDirExists(t, "/proc/"+pid)
		})
	}
}

// readUntil reads until a text has come.
func readUntil(t *testing.T, from interface{ Read([]byte) (int, error) }, want string) string {
	t.Helper()
	var text strings.Builder
	piece := make([]byte, 4096)
	for !strings.Contains(text.String(), want) {
		n, err := from.Read(piece)
		text.Write(piece[:n])
		require.NoError(t, err, text.String())
	}
	return text.String()
}

func TestTourJSON(t *testing.T) {
	need.Sandbox(t)
	stdout, stderr, status := lab(t, "tour", "--json", "01", "03")
	require.Zero(t, status, stderr)
	var values []tour.Value
	require.NoError(t, json.Unmarshal([]byte(stdout), &values))
	var names []string
	for _, v := range values {
		assert.Empty(t, v.Fault)
		assert.NotEmpty(t, v.Source)
		names = append(names, v.Step+" "+v.What)
	}
	assert.Contains(t, names, "01-uts hostname")
	assert.Contains(t, names, "03-mount ls /")
}

// Whenever the tour is interrupted, it undoes what it made and says so.
func TestTourInterrupted(t *testing.T) {
	need.Sandbox(t)
	steps := tourable()
	for i := range 12 {
		sig := []unix.Signal{unix.SIGINT, unix.SIGTERM}[i%2]
		before, err := journal.Take()
		require.NoError(t, err)
		cmd := exec.CommandContext(t.Context(), filepath.Join(programs(t), "lab"),
			append([]string{"tour"}, steps...)...)
		cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "TMPDIR="+t.TempDir())
		var out strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &out
		require.NoError(t, cmd.Start())
		time.Sleep(time.Duration(i) * 60 * time.Millisecond) // the moment is what is tried out
		require.NoError(t, cmd.Process.Signal(sig))
		_ = cmd.Wait() // 130, a signal's status before it is caught, or the end of the tour
		assert.Contains(t, []int{0, -1, 130}, cmd.ProcessState.ExitCode(), out.String())
		assert.Empty(t, journal.Settle(t.Context(), before), out.String())
	}
}

func TestSplitLine(t *testing.T) {
	for _, c := range []struct {
		name    string
		args    []string
		flags   []string
		command []string
	}{
		{"nothing", nil, nil, nil},
		{"a command", []string{"ls", "-l"}, []string{}, []string{"ls", "-l"}},
		{"dashes", []string{"-ip", "x", "--", "ls"}, []string{"-ip", "x"}, []string{"ls"}},
		{"a switch", []string{"-user", "id"}, []string{"-user"}, []string{"id"}},
		{"an equals sign", []string{"--pids=9", "hog"}, []string{"--pids=9"}, []string{"hog"}},
		{"flags alone", []string{"-pids", "20"}, []string{"-pids", "20"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			line := splitLine(c.args)
			assert.Equal(t, c.command, line.command)
			assert.ElementsMatch(t, c.flags, line.flags)
		})
	}
	assert.True(t, splitLine([]string{"--lower=/a", "sh"}).has("lower"))
	assert.False(t, splitLine([]string{"sh", "-lower"}).has("lower"))
}
