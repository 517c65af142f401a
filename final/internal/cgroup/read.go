//go:build linux

package cgroup

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"lab/final/internal/kernel"

	"golang.org/x/sys/unix"
)

// noLimit is how a file's max or -1 is counted.
const noLimit = 1<<64 - 1

// isGone reports whether an error means that a cgroup is not there: it was not when its
// file was opened, or it went before that was read or written.
func isGone(err error) bool { return errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ENODEV) }

// readNumber reads a file that holds one number.
func readNumber(path string) (uint64, error) {
	text, err := kernel.Read(path)
	if err != nil {
		return 0, err
	}
	n, err := number(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", path, err)
	}
	return n, nil
}

// number reads one number of the kernel's.
func number(text string) (uint64, error) {
	if text == "max" || text == "-1" {
		return noLimit, nil
	}
	return strconv.ParseUint(text, 10, 64)
}

// readKeyed reads a file with a key and a number a line:
//
//	low 0
//	oom_kill 1
func readKeyed(path string) (map[string]uint64, error) {
	text, err := kernel.Read(path)
	if err != nil {
		return nil, err
	}
	return keyed(path, string(text))
}

// rereadKeyed reads an open file anew. Only this ends the event for which poll(2) of
// that file returns.
func rereadKeyed(file *os.File) (map[string]uint64, error) {
	text := make([]byte, 4096) // a file of the kernel's with few lines
	n, err := file.ReadAt(text, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return keyed(file.Name(), string(text[:n]))
}

// keyed reads the text of such a file.
func keyed(path, text string) (map[string]uint64, error) {
	values := map[string]uint64{}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, err := number(value)
		if err != nil {
			return nil, fmt.Errorf("read %s: %q: %w", path, key, err)
		}
		values[key] = n
	}
	return values, nil
}

// readWords reads a file of words.
func readWords(path string) ([]string, error) {
	text, err := kernel.Read(path)
	return strings.Fields(string(text)), err
}

// readLines reads the words of each line; blank lines are left out.
func readLines(path string) ([][]string, error) {
	text, err := kernel.Read(path)
	var lines [][]string
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); len(words) > 0 {
			lines = append(lines, words)
		}
	}
	return lines, err
}
