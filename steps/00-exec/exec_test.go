package main

import (
	"os"
	"testing"

	"lab/internal/check/checktest"
	"lab/internal/sandbox"
)

// TestMain runs the tests in a throw-away host.
func TestMain(m *testing.M) { os.Exit(sandbox.Run(m)) }

// TestChecks judges the program from outside, by kernel state.
func TestChecks(t *testing.T) { checktest.Run(t, program) }
