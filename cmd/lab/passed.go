package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// hasPassed reports whether the learner's program of a step has passed its checks:
//
//	03-mount ran passed
func hasPassed(step string) (bool, error) {
	path, _, err := progressFile()
	if err != nil {
		return false, err
	}
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("read the progress: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) > 1 && words[0] == step && slices.Contains(words[1:], "passed") {
			return true, nil
		}
	}
	return false, nil
}
