package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"lab/internal/invoker"
)

// progressFile returns the plain text file that remembers what was done, a
// line each, such as "ran 03-mount".
func progressFile() (string, invoker.Invoker, error) {
	who, err := invoker.Current()
	return filepath.Join(who.StateDir(), "progress"), who, err
}

// seen returns the steps that were run. Lines that it does not know are left
// alone: a person may have written them.
func seen() (map[string]bool, error) {
	path, _, err := progressFile()
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the progress: %w", err)
	}
	done := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); len(words) == 2 && words[0] == "ran" {
			done[words[1]] = true
		}
	}
	return done, nil
}

// remember notes that a step was run. A home that cannot be written to is no
// reason to refuse a run, so the caller may ignore the error.
func remember(step string) error {
	done, err := seen()
	if err != nil || done[step] {
		return err
	}
	path, who, err := progressFile()
	if err != nil {
		return err
	}
	if err := who.MkdirAll(filepath.Dir(path)); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("note the progress: %w", err)
	}
	_, err = fmt.Fprintf(file, "ran %s\n", step)
	if who.Sudo {
		err = errors.Join(err, file.Chown(who.UID, who.GID))
	}
	return errors.Join(err, file.Close())
}
