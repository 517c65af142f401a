package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"time"

	"lab/internal/journal"

	"golang.org/x/sys/unix"
)

// wordFD is the pipe on which enter and init tell the outer process that the
// host stands, or why it does not.
const wordFD = 3

// say hands the outer process the last word before the tests.
func say(word string) error {
	pipe := os.NewFile(wordFD, "outer")
	_, err := pipe.WriteString(word)
	return errors.Join(err, pipe.Close())
}

// report tells the outer process why a stage failed.
func report(err error) int {
	if sayErr := say(err.Error()); sayErr != nil {
		fmt.Fprintln(os.Stderr, "sandbox:", err, sayErr)
	}
	return statusOurs
}

// runInit is PID 1 of the throw-away host.
func runInit(given orders, m M) int {
	unix.CloseOnExec(wordFD)
	if err := furnish(given); err != nil {
		return report(err)
	}
	if f, ok := m.(Furnisher); ok {
		if err := f.Furnish(); err != nil {
			return report(err)
		}
	}
	scope := journal.Scope{Whole: true}
	if len(given.Cgroups) == 0 {
		// The cgroups in sight are the machine's, and not for us to change.
		scope.Without = []journal.Kind{journal.Cgroups}
	}
	before, err := scope.Take()
	if err != nil {
		return report(err)
	}

	signals := make(chan os.Signal, 8)
	signal.Notify(signals, forwarded...)
	tests, err := startTests()
	if err != nil {
		return report(err)
	}
	if err := say(ready); err != nil {
		return statusOurs
	}
	ended := make(chan struct{})
	go passOn(signals, tests, ended)
	status := <-reap(tests.Pid)
	close(ended)

	// A signal has ended the tests in the middle: what is left says nothing.
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	if l, ok := m.(Leaver); ok && l.MayLeave(status.ExitStatus()) {
		return status.ExitStatus()
	}
	return max(status.ExitStatus(), leakCheck(before))
}

// startTests starts this program as PID 1's child, to run the tests.
func startTests() (*os.Process, error) {
	environ, err := orders{Stage: stageTests}.environ()
	if err != nil {
		return nil, err
	}
	return os.StartProcess("/proc/self/exe", os.Args, &os.ProcAttr{
		Env:   environ,
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
	})
}

// reap waits, for ever, for each child of PID 1: the tests, whose status it
// hands over, and every orphan of the pid namespace, which nobody else would
// take from the process table.
func reap(tests int) <-chan unix.WaitStatus {
	status := make(chan unix.WaitStatus, 1)
	died := make(chan os.Signal, 1)
	signal.Notify(died, unix.SIGCHLD)
	go func() {
		for {
			var ws unix.WaitStatus
			pid, err := unix.Wait4(-1, &ws, 0, nil)
			switch {
			case pid == tests:
				status <- ws
			case errors.Is(err, unix.ECHILD):
				<-died // no child now, but an orphan may become one
			}
		}
	}()
	return status
}

// leakCheck compares the host with what it was before the tests and returns
// the exit status: 1 if anything is left behind.
func leakCheck(before journal.Snapshot) int {
	ctx, cancel := context.WithTimeout(context.Background(), settle())
	defer cancel()
	left := journal.Settle(ctx, before)
	if len(left) == 0 {
		return 0
	}
	fmt.Fprintln(os.Stderr, "sandbox: the tests left the host changed:")
	for _, difference := range left {
		fmt.Fprintln(os.Stderr, "\t"+difference.String())
	}
	return 1
}

// settle is how long the kernel may take to clear up after a process: links
// and cgroups outlive the last one a little, more so in an emulated machine.
func settle() time.Duration {
	if os.Getenv("LAB_VM") == "1" {
		return 30 * time.Second
	}
	return 5 * time.Second
}
