//go:build linux

package judge_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lab/internal/check"
	"lab/internal/course"
	"lab/internal/judge"
	"lab/internal/need"
	"lab/internal/program"
	"lab/internal/sandbox"
)

func TestMain(m *testing.M) {
	if judge.Asked() {
		os.Exit(judge.Main())
	}
	os.Exit(sandbox.Run(m))
}

// orders are those for a step's program.
func orders(t *testing.T, step, path string) judge.Orders {
	t.Helper()
	need.Sandbox(t)
	lab, err := program.Path(t.Context(), "lab")
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755)) //nolint:gosec // for other users
	return judge.Orders{Step: step, Program: path, Lab: lab, Dir: dir, Seed: 1}
}

// ask has a program judged and returns all answers.
func ask(t *testing.T, o judge.Orders) []judge.Answer {
	t.Helper()
	var all []judge.Answer
	require.NoError(t, judge.Run(t.Context(), o, func(a judge.Answer) error {
		all = append(all, a)
		return nil
	}))
	return all
}

func TestReferencesPass(t *testing.T) {
	for _, s := range course.Steps() {
		t.Run(s.ID, func(t *testing.T) {
			path, err := program.Path(t.Context(), s.ID)
			require.NoError(t, err)
			answers := ask(t, orders(t, s.ID, path))
			require.GreaterOrEqual(t, len(answers), len(check.Of(s.ID)))
			for _, a := range answers {
				assert.NotEqual(t, judge.Fail, a.Verdict, "%s: %v", a.Name, a.Failure)
			}
		})
	}
}

// script is a program in the built-in shell's language or any other.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	text = "#!/bin/sh\n" + text
	require.NoError(t, os.WriteFile(path, []byte(text), 0o755)) //nolint:gosec // executed
	return path
}

// Each check of a program that does nothing right gets an answer.
func TestWrongProgram(t *testing.T) {
	answers := ask(t, orders(t, "00-exec", script(t, "exit 3")))
	require.Len(t, answers, len(check.Of("00-exec")))
	for _, a := range answers {
		assert.Equal(t, judge.Fail, a.Verdict, a.Name)
		assert.NotEmpty(t, a.Failure.Diagnosis)
	}
}

func TestReceiverHasHeardEnough(t *testing.T) {
	asked := 0
	err := judge.Run(t.Context(), orders(t, "00-exec", script(t, "exit 3")),
		func(judge.Answer) error {
			asked++
			return judge.ErrStop
		})
	require.NoError(t, err)
	assert.Equal(t, 1, asked)
}

// Whatever a program does, the check of it ends, and so does all it started.
func TestHostilePrograms(t *testing.T) {
	programs := map[string]string{
		"forks without end":         "while :; do sh \"$0\" & done",
		"ignores all signals":       "trap '' HUP INT TERM QUIT; while :; do sleep 1; done",
		"prints without end":        "while :; do echo yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy; done",
		"removes its own files":     "rm -rf \"$0\" /etc /usr \"$TMPDIR\"",
		"kills all that it can see": "kill -9 -1",
		"mounts over everything":    "mount -t tmpfs none /proc; mount -t tmpfs none /tmp; \"$@\"",
	}
	for name, text := range programs {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // they wait, most of the time
			o := orders(t, "00-exec", script(t, text))
			o.Limit = 3 * time.Second
			var first *judge.Answer
			require.NoError(t, judge.Run(t.Context(), o, func(a judge.Answer) error {
				first = &a
				return judge.ErrStop
			}))
			require.NotNil(t, first)
			assert.Equal(t, judge.Fail, first.Verdict)
			assert.Less(t, len(first.Failure.Error()), 1<<16)
		})
	}
}
