package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// event is one line of "go test -json".
//
//	{"Action":"run","Package":"lab/steps/01-uts","Test":"TestHostname"}
//	{"Action":"output","Package":"lab/steps/01-uts","Test":"TestHostname",
//	 "Output":"=== RUN   TestHostname\n"}
//	{"Action":"pass","Package":"lab/steps/01-uts","Test":"TestHostname","Elapsed":0.01}
//	{"Action":"build-output","ImportPath":"lab/steps/01-uts","Output":"main.go:3:1 …"}
//	{"Action":"fail","Package":"lab/steps/01-uts","Elapsed":0.2}
type event struct {
	Action     string
	Package    string
	Test       string
	Output     string
	ImportPath string
	Elapsed    float64 // seconds
}

// duration returns the event's Elapsed in the shape that people read.
func (e event) duration() time.Duration {
	return time.Duration(e.Elapsed * float64(time.Second)).Round(time.Millisecond)
}

// readEvents feeds the events of "go test -json" to t. Lines that are no events
// (a tool's own complaint) are shown as they are.
func readEvents(in io.Reader, t *tally) error {
	return eachLine(in, func(line string) error {
		var e event
		if json.Unmarshal([]byte(line), &e) == nil {
			t.add(e)
		} else {
			t.print(line)
		}
		return nil
	})
}

// eachLine calls f with every line of in, its line end included.
func eachLine(in io.Reader, f func(line string) error) error {
	r := bufio.NewReader(in)
	for {
		line, err := r.ReadString('\n')
		if line != "" {
			if err := f(line); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the tests' output: %w", err)
		}
	}
}
