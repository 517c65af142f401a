package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// tally counts tests and remembers what has to be said about them. A test with
// subtests is not counted itself, its subtests are; it counts as a failure if
// it failed though none of them did.
type tally struct {
	out      io.Writer
	verbose  bool
	running  map[string]*pkg          // packages that have not ended, by import path
	built    map[string]string        // what the compiler said, by import path
	took     map[string]time.Duration // what is known better than by an event, by import path
	passed   int
	failures []string // "package Test" or "package: why"
	skips    []string // "package Test: reason"
}

// pkg is what is known of a package that runs.
type pkg struct {
	order  []string            // names of tests in the order they began
	result map[string]string   // pass, fail or skip by test; "" while it runs
	output map[string][]string // lines by test; "" is the package's own
}

// newTally returns an empty tally that reports to out.
func newTally(out io.Writer, verbose bool) *tally {
	return &tally{
		out: out, verbose: verbose,
		running: map[string]*pkg{}, built: map[string]string{},
		took: map[string]time.Duration{},
	}
}

// print writes text to the report as it is. There is nobody to tell when the
// report itself cannot be written.
func (t *tally) print(text string) { _, _ = io.WriteString(t.out, text) }

// problem adds a failure that belongs to no test.
func (t *tally) problem(what string) {
	t.failures = append(t.failures, what)
	t.print("FAIL " + what + "\n")
}

// add takes one event.
func (t *tally) add(e event) {
	if e.Action == "build-output" {
		t.built[e.ImportPath] += e.Output
		return
	}
	if e.Package == "" {
		return
	}
	p := t.running[e.Package]
	if p == nil {
		p = &pkg{result: map[string]string{}, output: map[string][]string{}}
		t.running[e.Package] = p
	}
	switch e.Action {
	case "run":
		p.order = append(p.order, e.Test)
		p.result[e.Test] = ""
	case "output":
		p.output[e.Test] = append(p.output[e.Test], e.Output)
		if t.verbose {
			t.print(e.Output)
		}
	case "pass", "fail", "skip":
		if e.Test != "" {
			p.result[e.Test] = e.Action
			return
		}
		t.end(e, p)
		delete(t.running, e.Package)
	}
}

// end counts the package p, which ended with the event e, and prints its line.
func (t *tally) end(e event, p *pkg) {
	before := t.passed + len(t.failures)
	var skipped int
	var failed []string
	for _, name := range p.order {
		switch result := p.result[name]; {
		case result == "skip":
			skipped++
			t.skips = append(t.skips, e.Package+" "+name+": "+skipReason(p.output[name]))
		case result == "pass" && !p.any(name):
			t.passed++
		case result == "fail" || result == "":
			if !p.any(name, "fail", "") {
				t.failures = append(t.failures, e.Package+" "+name)
			}
			failed = append(failed, name)
		}
	}
	if e.Action == "fail" {
		if len(failed) == 0 {
			t.failures = append(t.failures, e.Package+": the package itself")
		}
		t.showFailure(e.Package, p, failed)
	}
	ran := t.passed + len(t.failures) - before
	if ran+skipped == 0 {
		return
	}
	took, known := t.took[e.Package]
	if !known {
		took = e.duration()
	}
	word := map[string]string{"pass": "ok  ", "fail": "FAIL", "skip": "skip"}[e.Action]
	t.print(fmt.Sprintf("%s %-32s %3d run, %d skipped  %v\n",
		word, e.Package, ran, skipped, took))
}

// any reports whether name has a subtest whose result is one of results, or one
// with any result if none is given. An empty result is a test that never ended.
func (p *pkg) any(name string, results ...string) bool {
	for test, result := range p.result {
		if !strings.HasPrefix(test, name+"/") {
			continue
		}
		if len(results) == 0 || slices.Contains(results, result) {
			return true
		}
	}
	return false
}

// showFailure repeats the output of the tests that failed and the package's
// own, unless it has been shown already.
func (t *tally) showFailure(path string, p *pkg, failed []string) {
	for importPath, text := range t.built {
		// "lab/steps/01-uts [lab/steps/01-uts.test]" is how a test's build is called.
		if name, _, _ := strings.Cut(importPath, " "); strings.TrimSuffix(name, "_test") == path {
			t.print(text)
		}
	}
	if t.verbose {
		return
	}
	for _, name := range append(failed, "") {
		t.print(strings.Join(p.output[name], ""))
	}
}

// close ends packages that never did: go test or the machine was killed.
func (t *tally) close() {
	for path, p := range t.running {
		t.end(event{Action: "fail", Package: path}, p)
	}
}

// skipReason finds the reason in what a skipped test printed: its last log
// entry, as one line, without the place in the source.
//
//	=== RUN   TestBridge
//	    net_test.go:31: needs root
//	        in this network namespace
//	--- SKIP: TestBridge (0.00s)
func skipReason(output []string) string {
	var entries []string // each log entry with its continuation lines
	for _, line := range output {
		text := strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(text, "        ") && len(entries) > 0:
			entries[len(entries)-1] += " " + strings.TrimSpace(text)
		case strings.HasPrefix(strings.TrimLeft(text, " "), "--- SKIP"):
		case strings.HasPrefix(text, "    "):
			entries = append(entries, strings.TrimSpace(text))
		}
	}
	// testscript logs the whole script after a skip in it.
	const script = "testscript.go:"
	if n := len(entries); n > 1 && strings.HasPrefix(entries[n-1], script) &&
		strings.HasPrefix(entries[n-2], script) {
		entries = entries[:n-1]
	}
	if len(entries) == 0 {
		return "no reason given"
	}
	_, reason, found := strings.Cut(entries[len(entries)-1], ": ")
	if !found || reason == "" {
		return "no reason given"
	}
	return reason
}
