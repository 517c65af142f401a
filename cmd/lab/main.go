// Command lab is the container lab's toolkit. It shows the path's programs at
// work, looks at any process's isolation from outside, and tells what this
// machine can do.
//
//	lab              who and where you are, and what to do next
//	lab tour         every step, shown in seconds
//	lab run 03       a shell in the container of step 03
//
// Called by another name, such as sh or ls, it is that program: the lab's
// executable is its own small userland, so a root file system needs nothing
// else.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"lab/internal/box"
	"lab/internal/judge"
	"lab/internal/oom"
)

// errUsage marks a command line that cannot be understood.
var errUsage = errors.New("wrong usage")

// hinted is an error with something to try.
type hinted struct {
	error
	hint string
}

// Unwrap returns the error itself.
func (h hinted) Unwrap() error { return h.error }

// exited is the exit status of a program that lab ran; it is passed on.
type exited int

// Error returns the status in words.
func (e exited) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// withStatus is an error whose exit status is neither 1 nor 2.
type withStatus struct {
	error
	status int
}

// Unwrap returns the error itself.
func (w withStatus) Unwrap() error { return w.error }

// main passes on a status or says in one line what failed.
func main() {
	becomeTraced()
	if judge.Asked() {
		os.Exit(judge.Main())
	}
	if status, ok := box.Run(os.Args); ok {
		os.Exit(status)
	}
	if status, ok := oom.Child(os.Args); ok {
		os.Exit(status)
	}
	os.Exit(explain(newRoot().ExecuteContext(context.Background())))
}

// explain prints an error and returns the exit status for it: 2 for wrong
// usage, that of a program that lab ran, and 1 for everything else.
func explain(err error) int {
	if err == nil {
		return 0
	}
	if status, ok := errors.AsType[exited](err); ok {
		return int(status)
	}
	fmt.Fprintf(os.Stderr, "lab: %s\n", strings.TrimRight(err.Error(), "\n"))
	if h, ok := errors.AsType[hinted](err); ok {
		fmt.Fprintf(os.Stderr, "hint: %s\n", h.hint)
	}
	if w, ok := errors.AsType[withStatus](err); ok {
		return w.status
	}
	if errors.Is(err, errUsage) {
		return 2
	}
	return 1
}
