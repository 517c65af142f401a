// Lane reads what a run of tests prints and judges it: it shows each package
// as it ends, repeats the output of what failed, counts, lists every skip with
// its reason and compares these skips with a checked-in list. A skip that is
// not on the list fails the lane, and so does an entry that no longer happens,
// so the list stays true.
//
//	go test -json ./... | go run ./internal/lane -name host-root -skips FILE
//	.ci/tests TREE | go run ./internal/lane -name host-user -console -skips FILE
//
// With -console the input is the plain output of test binaries between marker
// lines, as .ci/tests prints it on a virtual machine's console; "go tool
// test2json" makes events of it. See cmd/test2json in Go's own documentation.
//
// The exit status is 0 only if every test passed and the skips are the listed.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

// errLane says that the lane was judged and is not good; what is wrong has been
// printed already.
var errLane = errors.New("the lane failed")

// options are the command line.
type options struct {
	name    string // the lane, as it stands in its last line
	skips   string // the list of skips that are allowed; none if empty
	totals  string // a file that gets one line "PASSED FAILED SKIPPED" more
	console bool   // the input is a console, not JSON events
	verbose bool   // show all output, not only that of failures
}

func main() {
	var o options
	flag.StringVar(&o.name, "name", "tests", "the lane's name")
	flag.StringVar(&o.skips, "skips", "", "`file` with the skips that are allowed")
	flag.StringVar(&o.totals, "totals", "", "`file` to append \"PASSED FAILED SKIPPED\" to")
	flag.BoolVar(&o.console, "console", false, "read what .ci/tests prints")
	flag.BoolVar(&o.verbose, "v", false, "show the output of tests that pass too")
	flag.Parse()
	err := run(o, os.Stdin, os.Stdout)
	if err == nil {
		return
	}
	if !errors.Is(err, errLane) {
		fmt.Fprintln(os.Stderr, "lane:", err)
	}
	os.Exit(1)
}

// run reads one lane's input to its end, prints the report to out and returns
// errLane if the lane is not good.
func run(o options, in io.Reader, out io.Writer) error {
	allowed, err := readAllowed(o.skips)
	if err != nil {
		return err
	}
	t := newTally(out, o.verbose)
	source := readEvents
	if o.console {
		source = readConsole
	}
	if err := source(in, t); err != nil {
		t.problem(err.Error())
	}
	t.close()
	if t.passed+len(t.failures)+len(t.skips) == 0 {
		t.problem("no test ran")
	}
	problems := t.summary(o.name, o.skips, compare(allowed, t.skips))
	if err := appendTotals(o.totals, t.passed, problems, len(t.skips)); err != nil {
		return err
	}
	if problems > 0 {
		return errLane
	}
	return nil
}

// appendTotals adds one line "PASSED FAILED SKIPPED" to the file at path, from
// which .ci/run makes its last line.
func appendTotals(path string, passed, failed, skipped int) error {
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("write totals: %w", err)
	}
	_, err = fmt.Fprintln(f, passed, failed, skipped)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write totals: %w", err)
	}
	return nil
}
