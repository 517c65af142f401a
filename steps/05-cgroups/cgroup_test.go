package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"lab/internal/check/checktest"
	"lab/internal/lesson/lessontest"
	"lab/internal/need"
	"lab/internal/sandbox"
)

// TestMain runs the tests in a throw-away host.
func TestMain(m *testing.M) { os.Exit(sandbox.Run(m)) }

// TestChecks judges the program from outside, by kernel state.
func TestChecks(t *testing.T) { checktest.Run(t, program) }

// TestLesson types what the README says and compares.
func TestLesson(t *testing.T) {
	need.Cgroup(t, "memory", "cpu", "pids")
	lessontest.Run(t, program)
}

// TestUsage tries what the program has to refuse.
func TestUsage(t *testing.T) { scripts(t, "testdata/usage") }

// TestLimits compares what the program tells with what happened.
func TestLimits(t *testing.T) {
	need.Cgroup(t, "memory", "cpu", "pids")
	scripts(t, "testdata/limits")
}

// TestLeavesNothing looks for cgroups while no other script runs.
func TestLeavesNothing(t *testing.T) {
	need.Cgroup(t, "memory", "cpu", "pids")
	scripts(t, "testdata/leaves")
}

// TestUnderSystemd is about where the cgroup is made when systemd runs.
func TestUnderSystemd(t *testing.T) {
	need.Cgroup(t, "memory", "cpu", "pids")
	dir := "testdata/systemd-v1"
	if need.Look().Cgroups.Mode == "v2" {
		dir = "testdata/systemd-v2"
	}
	scripts(t, dir)
}

// scripts runs the scripts of a directory. They find the program and the
// applets on PATH and a root file system in $ROOT.
func scripts(t *testing.T, dir string) {
	t.Helper()
	need.Root(t)
	subject := checktest.Subject(t, program)
	testscript.Run(t, testscript.Params{
		Dir: dir,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", filepath.Dir(subject.Program)+":"+
				filepath.Join(subject.Root, "bin")+":/bin")
			env.Setenv("ROOT", subject.Root)
			return nil
		},
	})
}
