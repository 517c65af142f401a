package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// difference is how the skips that happened differ from the listed ones.
type difference struct {
	unlisted []string // happened and is not on the list
	gone     []string // is on the list and did not happen
}

// readAllowed reads a list of skips: one "package Test: reason" a line, sorted;
// a line that begins with # says why the ones below it are allowed.
//
//	# The host's bridge needs root.
//	lab/steps/04-net TestBridge: needs root in this network namespace
func readAllowed(path string) ([]string, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the skips that are allowed: %w", err)
	}
	var allowed []string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "#") {
			allowed = append(allowed, line)
		}
	}
	return allowed, nil
}

// compare tells how the skips that happened differ from the allowed ones.
func compare(allowed, happened []string) difference {
	var d difference
	for _, skip := range happened {
		if !slices.Contains(allowed, skip) {
			d.unlisted = append(d.unlisted, skip)
		}
	}
	for _, skip := range allowed {
		if !slices.Contains(happened, skip) {
			d.gone = append(d.gone, skip)
		}
	}
	return d
}

// summary prints the lane's last lines and returns how many things are wrong.
func (t *tally) summary(name, list string, d difference) int {
	line := fmt.Sprintf("lane %s: %d run, %d skipped",
		name, t.passed+len(t.failures), len(t.skips))
	if len(t.failures) > 0 {
		line += fmt.Sprintf(", %d failed", len(t.failures))
	}
	t.print(line + "\n")
	t.printAll("  failed: ", t.failures)
	slices.Sort(t.skips)
	t.printAll("  skipped: ", t.skips)
	if list == "" {
		return len(t.failures)
	}
	t.printAll("  not in "+list+": ", d.unlisted)
	t.printAll("  in "+list+" and did not happen: ", d.gone)
	return len(t.failures) + len(d.unlisted) + len(d.gone)
}

// printAll prints each of lines behind prefix.
func (t *tally) printAll(prefix string, lines []string) {
	for _, line := range lines {
		t.print(prefix + line + "\n")
	}
}
