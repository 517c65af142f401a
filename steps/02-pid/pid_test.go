package main

import (
	"os"
	"testing"

	"lab/internal/check/checktest"
	"lab/internal/lesson/lessontest"
	"lab/internal/sandbox"
	"lab/internal/scripttest"
)

// TestMain runs the tests in a throw-away host.
func TestMain(m *testing.M) { os.Exit(sandbox.Run(m)) }

// TestChecks judges the program from outside, by kernel state.
func TestChecks(t *testing.T) { checktest.Run(t, program) }

// TestBadInput gives it what it has to refuse, in one line.
func TestBadInput(t *testing.T) { scripttest.Run(t, program) }

// TestInterrupt ends it at any moment.
func TestInterrupt(t *testing.T) { scripttest.Interrupt(t, program) }

// TestLesson types what the README says and compares.
func TestLesson(t *testing.T) { lessontest.Run(t, program) }
