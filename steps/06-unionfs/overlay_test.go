package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"lab/internal/check/checktest"
	"lab/internal/lesson/lessontest"
	"lab/internal/sandbox"
)

// TestMain runs the tests in a throw-away host.
func TestMain(m *testing.M) { os.Exit(sandbox.Run(m)) }

// TestChecks judges the program from outside, by kernel state.
func TestChecks(t *testing.T) { checktest.Run(t, program) }

// TestScripts runs the command lines of testdata, one behaviour a file. ROOT
// is a built-in root file system.
func TestScripts(t *testing.T) {
	subject := checktest.Subject(t, program)
	path := filepath.Dir(subject.Program) + ":" + os.Getenv("PATH")
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", path)
			env.Setenv("ROOT", subject.Root)
			return nil
		},
	})
}

// TestLesson types what the README says and compares.
func TestLesson(t *testing.T) { lessontest.Run(t, program) }
