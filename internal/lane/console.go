package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// The lines that .ci/tests prints around the output of each test binary. Each
// begins a line of its own:
//
//	##lane package lab/steps/01-uts
//	=== RUN   TestHostname
//	--- PASS: TestHostname (0.01s)
//	PASS
//	##lane exit 0 12
//	##lane end
//
// The exit's numbers are the binary's status and how many seconds it took. The
// output of packages that ran at the same time comes afterwards, so nobody else
// knows the time.
const (
	markPackage = "##lane package "
	markExit    = "##lane exit "
	markEnd     = "##lane end"
)

// errNoEnd is what a panic of the kernel, a hang or a lost machine looks like.
var errNoEnd = errors.New("the console ended before the last test did: a panic or a hang")

// console cuts a console's output into the sections of test binaries.
type console struct {
	tally   *tally
	section *section // the test binary that runs, or nil between two
	ended   bool
}

// readConsole feeds what .ci/tests printed to t.
func readConsole(in io.Reader, t *tally) error {
	c := &console{tally: t}
	err := eachLine(in, c.line)
	if c.section != nil {
		err = errors.Join(err, c.section.finish("none"))
	}
	if !c.ended {
		err = errors.Join(err, errNoEnd)
	}
	return err
}

// line takes one line of the console. A serial line ends lines with CR LF.
func (c *console) line(line string) error {
	text := strings.TrimRight(line, "\r\n")
	pkg, isPackage := strings.CutPrefix(text, markPackage)
	status, isExit := strings.CutPrefix(text, markExit)
	switch {
	case text == markEnd:
		c.ended = true
		return nil
	case isPackage && c.section == nil:
		var err error
		c.section, err = newSection(pkg, c.tally)
		return err
	case isExit && c.section != nil:
		err := c.section.finish(status)
		c.section = nil
		return err
	case c.section != nil:
		return c.section.write(text + "\n")
	}
	c.tally.print(text + "\n")
	return nil
}

// test2json is Go's tool of that name: the one on PATH, where there is no
// toolchain, or the toolchain's.
func test2json(args ...string) *exec.Cmd {
	if path, err := exec.LookPath("test2json"); err == nil {
		return exec.Command(path, args...)
	}
	return exec.Command("go", append([]string{"tool", "test2json"}, args...)...)
}

// section is the output of one test binary on its way through test2json.
type section struct {
	in   io.WriteCloser
	cmd  *exec.Cmd
	done chan error // the end of the events
	pkg  string
	t    *tally
}

// newSection starts test2json for pkg; its events go to t.
func newSection(pkg string, t *tally) (*section, error) {
	s := &section{cmd: test2json("-t", "-p", pkg), done: make(chan error, 1), pkg: pkg, t: t}
	s.cmd.Stderr = os.Stderr
	in, err := s.cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("test2json: %w", err)
	}
	events, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("test2json: %w", err)
	}
	s.in = in
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("test2json: %w", err)
	}
	go func() { s.done <- readEvents(events, t) }()
	return s, nil
}

// write hands one piece of output on.
func (s *section) write(text string) error {
	if _, err := io.WriteString(s.in, text); err != nil {
		return fmt.Errorf("test2json: %w", err)
	}
	return nil
}

// finish ends the section. A binary can print PASS and still end with another
// status than 0 (a leak found by TestMain), so the status is added as go test
// adds it, and test2json makes a failure of it. The control character is the one
// by which test2json knows the testing package's own lines.
func (s *section) finish(exit string) error {
	status, seconds, timed := strings.Cut(exit, " ")
	if took, err := time.ParseDuration(seconds + "s"); timed && err == nil {
		s.t.took[s.pkg] = took
	}
	var err error
	if status != "0" {
		err = s.write("exit status " + status + "\n\x16FAIL\n")
	}
	err = errors.Join(err, s.in.Close(), <-s.done)
	if waitErr := s.cmd.Wait(); waitErr != nil {
		err = errors.Join(err, fmt.Errorf("test2json: %w", waitErr))
	}
	return err
}
