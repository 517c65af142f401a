//go:build linux

// Package judge lets the checks of a step judge a program that nobody knows.
// Such a program may forget to make its mounts private, kill every process in
// sight, fork for ever or remove files, and it does so as root: it gets a
// throw-away host (package sandbox) in which only one temporary directory can
// be written to, and that ends with all that is in it, whatever was started.
//
// A check that failed may have left a broken host. The one after it begins in
// a new one.
//
// The program that judges is this very executable, called by the name Name: a
// program that imports the package begins with
//
//	if judge.Asked() { os.Exit(judge.Main()) }
package judge

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"lab/internal/check"
	"lab/internal/course"
)

// Name is what the judging process is called.
const Name = "lab-judge"

// The verdicts of a check.
const (
	Pass = "pass"
	Fail = "fail"
	Skip = "skip"
)

// Orders say what to judge and by what.
type Orders struct {
	Step     string // whose checks are asked
	As       string // the step whose command line the program has; Step if empty
	Program  string // the path of an executable
	Lab      string // the path of a static build of the lab, for the root
	Linked   bool   // whether Lab lies in Dir and the root needs no copy; see baseroot
	Dir      string // the one directory that can be written to, the program's TMPDIR
	Seed     uint64 // of what no program can know beforehand
	Shared   bool   // whether the host's mounts are shared, as systemd makes them
	Exercise bool   // by the checks of the lesson's exercises, not by the step's own
	All      bool   // also what comes after a failure; see Step
	From     int    // the first check that is asked; those before were
	// Command is run in the throw-away host instead of any check; see Inside.
	Command []string
	// Limit is what one check may take; 0 is a minute, or five in a slow machine.
	// Whoever takes longer is ended with everything that was started.
	Limit time.Duration
}

// Answer is what one check says of a program.
type Answer struct {
	Step    string         `json:"step"`
	Name    string         `json:"name"`
	Verdict string         `json:"verdict"`
	Reason  string         `json:"reason,omitempty"` // of a skip
	Failure *check.Failure `json:"failure,omitempty"`
	Millis  int64          `json:"ms"`
	// Late marks the failure of a program that could not be watched: the other
	// checks are heard before it.
	Late bool `json:"late,omitempty"`
}

// ErrStop is what a receiver of answers returns when it has heard enough.
var ErrStop = errors.New("no more answers are wanted")

// Checks are the checks that orders ask for.
func (o Orders) Checks() []check.Check {
	if o.Exercise {
		return check.Exercise(o.Step)
	}
	checks := check.Of(o.Step)
	if o.own() && o.Step > "00-exec" {
		checks = append([]check.Check{check.ByOwnHand()}, checks...)
	}
	return checks
}

// own reports whether the checks are those of the program's own step, not of an
// ancestor.
func (o Orders) own() bool { return o.As == "" || o.As == o.Step }

// alone reports whether a check gets a host of its own, also when it passes. From 04
// on programs change the host: what the first run leaves there, as a bridge, the
// check that looks for it would find there before the run that it looks at.
func (o Orders) alone(number int) bool {
	return number == 0 && !o.Exercise && o.own() && o.Step >= "04-net"
}

// Run has a program judged and hands on each answer as it comes. An error is
// one of the judge; what is wrong with the program is in the answers.
func Run(ctx context.Context, o Orders, receive func(Answer) error) error {
	var late *Answer
	failed := false
	hear := func(a Answer) error {
		if a.Late {
			late = &a
			return nil
		}
		failed = failed || a.Verdict == Fail
		return receive(a)
	}
	checks := o.Checks()
	for o.From < len(checks) {
		asked, err := session(ctx, o, hear)
		if errors.Is(err, ErrStop) {
			return nil
		}
		if err != nil {
			return err
		}
		o.From += asked
	}
	if late == nil {
		return nil
	}
	if err := receive(late.after(failed)); !errors.Is(err, ErrStop) {
		return err
	}
	return nil
}

// after is what becomes of a late answer. Who failed another check does not pass
// anyway, and will be watched when that is mended.
func (a Answer) after(failed bool) Answer {
	if failed {
		a.Verdict, a.Reason = Skip, "not judged: "+a.Failure.Kernel
		a.Failure = nil
	}
	return a
}

// Step has a step's program judged by the step's own checks and then, in the
// order of the path, by those of its ancestors. Unless all are wanted it ends
// with a set of which one has failed.
func Step(
	ctx context.Context, step course.Step, o Orders, receive func(Answer) error,
) error {
	ancestors := course.UpTo(step.ID)
	o.As = step.ID
	for _, s := range append([]course.Step{step}, ancestors[:len(ancestors)-1]...) {
		failed := false
		o.Step, o.From = s.ID, 0
		err := Run(ctx, o, func(a Answer) error {
			failed = failed || a.Verdict == Fail
			return receive(a)
		})
		if err != nil {
			return fmt.Errorf("ask the checks of %s: %w", s.ID, err)
		}
		if failed && !o.All {
			return nil
		}
	}
	return nil
}

// session makes one throw-away host and returns how many checks were answered
// in it: up to and with the first that fails.
func session(ctx context.Context, o Orders, receive func(Answer) error) (int, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	process, answers, err := start(ctx, o)
	if err != nil {
		return 0, err
	}
	limit := time.AfterFunc(o.limit(), cancel)
	defer limit.Stop()
	var last Answer
	asked, heard, receiveErr := 0, time.Now(), error(nil)
	for lines := bufio.NewScanner(answers); receiveErr == nil && lines.Scan(); asked++ {
		last = Answer{}
		if err := json.Unmarshal(lines.Bytes(), &last); err != nil {
			receiveErr = fmt.Errorf("read what the judge says, %q: %w", lines.Text(), err)
			break
		}
		limit.Reset(o.limit())
		heard = time.Now()
		receiveErr = receive(last)
	}
	if receiveErr != nil {
		cancel()
	}
	waitErr := process.Wait()
	switch said := strings.TrimSpace(process.Stderr.(*bytes.Buffer).String()); {
	case receiveErr != nil:
		return asked, receiveErr
	case (last.Verdict != Pass || o.alone(o.From)) && asked > 0 && ctx.Err() == nil:
		return asked, nil // what it left says nothing new, or is for another check to see
	case ctx.Err() != nil && time.Since(heard) >= o.limit():
		return asked + 1, receive(o.ended(asked, fmt.Sprintf("it still ran after %s", o.limit())))
	case ctx.Err() != nil:
		return asked, context.Cause(ctx)
	case waitErr != nil && asked == 0 && said != "":
		return asked, errors.New(said)
	case waitErr != nil && o.From+asked < len(o.Checks()):
		text := fmt.Sprintf("the judge ended: %v %s", waitErr, said)
		return asked + 1, receive(o.ended(asked, text))
	case waitErr != nil && o.own():
		return asked, receive(o.left(said)) // see statusLeaves for an ancestor's
	}
	return asked, nil
}

// limit is what one check may take.
func (o Orders) limit() time.Duration {
	switch {
	case o.Limit != 0:
		return o.Limit
	case os.Getenv("LAB_VM") != "":
		return 5 * time.Minute // there, a container may take longer to start
	}
	return time.Minute
}

// Inside runs a command in a throw-away host, with what orders say of that, and
// returns what it printed and its exit status. The command is Orders.Command.
func Inside(ctx context.Context, o Orders) (output string, status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, o.limit())
	defer cancel()
	process, out, err := start(ctx, o)
	if err != nil {
		return "", 0, err
	}
	text, readErr := io.ReadAll(out)
	err = process.Wait()
	if _, ended := errors.AsType[*exec.ExitError](err); ended {
		err = nil
	}
	err = errors.Join(err, readErr, ctx.Err())
	return string(text), process.ProcessState.ExitCode(), err
}

// start starts the judging process.
func start(ctx context.Context, o Orders) (*exec.Cmd, io.Reader, error) {
	orders, err := json.Marshal(o)
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	cmd.Args = []string{Name}
	cmd.Env = append(os.Environ(), variable+"="+string(orders), "TMPDIR="+o.Dir)
	cmd.Stderr = &bytes.Buffer{}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// Asked to end, the sandbox ends its first process, and with that all, and
	// removes its cgroups.
	cmd.Cancel = func() error { return cmd.Process.Signal(unix.SIGTERM) }
	cmd.WaitDelay = 30 * time.Second
	answers, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, fmt.Errorf("start the judge: %w", err)
	}
	return cmd, answers, nil
}

// ended is the answer of a check that was never given.
func (o Orders) ended(asked int, kernel string) Answer {
	return Answer{
		Step: o.Step, Name: o.Checks()[o.From+asked].Name, Verdict: Fail,
		Failure: &check.Failure{
			Expected: "the check ends", Kernel: kernel, Mistake: "never-ends",
			Diagnosis: "The program waits for something that does not come, starts processes " +
				"without end, or took away what the check itself needs. " +
				"It was ended with all that it had started.",
		},
	}
}

// left is the answer when all checks have passed but the throw-away host is not
// what it was.
func (o Orders) left(said string) Answer {
	return Answer{
		Step: o.Step, Name: "nothing is left on the host", Verdict: Fail,
		Failure: &check.Failure{
			Expected: "the host is as it was before", Kernel: said, Mistake: "left-behind",
			Diagnosis: "Something that the program made outlives its containers. " +
				"What is made is undone on every way out, in the reverse order.",
		},
	}
}
