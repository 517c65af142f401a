//go:build linux

// Package scripttest runs the scripts that say what a step does with bad input:
// one clear line, the right exit status, and a host as it was before. The scripts
// of a step are those of all later steps too; they find in their environment
//
//	STEP    the name of the program, which is on PATH, such as 03-mount
//	ROOT    a built-in root file system
//	LONG    a name of 65 bytes
//
// and have these commands beside those of testscript:
//
//	exits STATUS PROGRAM [ARG…]    runs a program, which must end with the status
//	one-line                       the last stderr is one line, plus a hint at most
//	paste-hint                     runs what the last stderr has after "hint: ",
//	                               as root; sudo(8) is a stand-in that needs no password
package scripttest

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lab/internal/check/checktest"
	"lab/internal/course"
	"lab/internal/journal"
	"lab/internal/need"
)

//go:embed testdata
var scripts embed.FS

// Run runs the scripts of a step and of its ancestors, one after another, and
// compares the host before and after each.
func Run(t *testing.T, step string) {
	t.Helper()
	need.Sandbox(t)
	subject := checktest.Subject(t, step)
	stub := filepath.Join(t.TempDir(), "sudo")
	require.NoError(t, os.WriteFile(stub, []byte("#!/bin/sh\nexec \"$@\"\n"), 0o755))

	for _, s := range course.UpTo(step) {
		t.Run(s.ID, func(t *testing.T) {
			testscript.RunT(serial{t}, testscript.Params{
				Files:               extract(t, s.ID),
				RequireExplicitExec: true,
				Cmds: map[string]func(*testscript.TestScript, bool, []string){
					"exits": exits, "one-line": oneLine, "paste-hint": pasteHint,
				},
				Setup: func(env *testscript.Env) error {
					env.Setenv("STEP", step)
					env.Setenv("ROOT", subject.Root)
					env.Setenv("LONG", strings.Repeat("x", 65))
					env.Setenv("PATH", filepath.Dir(subject.Program)+":"+filepath.Dir(stub)+
						":/usr/sbin:/usr/bin:/sbin:/bin")
					return nil
				},
			})
		})
	}
}

// extract writes a step's scripts into a directory, as testscript wants them.
func extract(t *testing.T, step string) []string {
	t.Helper()
	names, err := fs.Glob(scripts, "testdata/"+step+"/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, names, "scripts of %s", step)
	dir := t.TempDir()
	var files []string
	for _, name := range names {
		text, err := scripts.ReadFile(name)
		require.NoError(t, err)
		file := filepath.Join(dir, filepath.Base(name))
		require.NoError(t, os.WriteFile(file, text, 0o600))
		files = append(files, file)
	}
	return files
}

// serial is a test whose scripts run one after another: what one of them leaves
// on the host can then be told.
type serial struct{ *testing.T }

// Parallel does nothing.
func (serial) Parallel() {}

// Verbose reports whether the tests were run with -v.
func (serial) Verbose() bool { return testing.Verbose() }

// Run runs one script and compares the host.
func (s serial) Run(name string, script func(testscript.T)) {
	s.T.Run(name, func(t *testing.T) {
		defer hostStays(t)()
		script(serial{t})
	})
}

// hostStays notes what the host is like; the function it returns compares.
func hostStays(t *testing.T) func() {
	t.Helper()
	before, err := journal.Scope{Whole: true}.Take()
	require.NoError(t, err)
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
		defer cancel()
		for _, d := range journal.Settle(ctx, before) {
			// An ordinary user sees the cgroups of tests that run beside these.
			if !strings.Contains(d.What, "/lab-test-") {
				assert.Fail(t, "the host is not as it was", "%s", d)
			}
		}
	}
}

// exits runs a program and compares its exit status.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS PROGRAM [ARG…]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if exit, ended := errors.AsType[*exec.ExitError](err); ended {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// oneLine holds what was said against the rule: `PROGRAM: what`, then at most
// `hint: what`.
func oneLine(ts *testscript.TestScript, _ bool, _ []string) {
	text := ts.ReadFile("stderr")
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	begins := strings.HasPrefix(text, ts.Getenv("STEP")+": ")
	hinted := len(lines) == 2 && strings.HasPrefix(lines[1], "hint: ")
	if !begins || len(lines) != 1 && !hinted {
		ts.Fatalf("not one line and a hint at most: %q", text)
	}
}

// pasteHint does what the hint says.
func pasteHint(ts *testscript.TestScript, _ bool, _ []string) {
	_, hint, found := strings.Cut(ts.ReadFile("stderr"), "\nhint: ")
	if !found {
		ts.Fatalf("there is no hint")
	}
	if err := ts.Exec("sh", "-c", hint); err != nil {
		ts.Fatalf("%s: %v", strings.TrimSpace(hint), fmt.Errorf("the hint does not work: %w", err))
	}
}
