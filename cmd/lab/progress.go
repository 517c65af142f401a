package main

import (
	"fmt"
	"io"

	"lab/internal/progress"
)

// openProgress opens the progress and says what was wrong with the file.
func openProgress(stderr io.Writer) (*progress.File, error) {
	f, err := progress.Open()
	if err != nil {
		return nil, err
	}
	if f.Notice() != "" {
		fmt.Fprintf(stderr, "lab: %s\n", f.Notice())
	}
	return f, nil
}

// remember notes that a step was run. A home that cannot be written to is no
// reason to refuse a run, so the caller may ignore the error.
func remember(step string) error {
	f, err := progress.Open()
	if err != nil || f.Ran(step) {
		return err
	}
	f.Run(step)
	return f.Save()
}
