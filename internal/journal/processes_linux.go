package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// process is what /proc/PID/stat says of one process.
type process struct {
	pid, parent int
	comm        string
	state       string
	start       string // in clock ticks since boot; with the pid it is unique
}

// processes lists the living processes that matter: this process's
// descendants, or in a throw-away host every one.
func (s Scope) processes() ([]Entry, error) {
	all, err := allProcesses()
	if err != nil {
		return nil, err
	}
	var found []Entry
	for _, p := range all {
		self := p.pid == os.Getpid()
		if self || p.state == "Z" || p.state == "X" || !s.Whole && !descends(p, all) {
			continue
		}
		pid := strconv.Itoa(p.pid)
		found = append(found, Entry{
			Kind: Processes, ID: pid + " since " + p.start,
			What: "process " + pid + " (" + p.comm + ")",
		})
	}
	return found, nil
}

// descends reports whether a process is a descendant of this one. Parents are
// followed for as many steps as there are processes: a pid that was used
// anew while we read could close a circle.
func descends(p process, all map[int]process) bool {
	for range len(all) {
		if p.parent == os.Getpid() {
			return true
		}
		parent, known := all[p.parent]
		if !known {
			return false
		}
		p = parent
	}
	return false
}

// allProcesses reads the process table.
func allProcesses() (map[int]process, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	all := map[int]process{}
	for _, entry := range entries {
		if _, err := strconv.Atoi(entry.Name()); err != nil {
			continue
		}
		text, err := os.ReadFile("/proc/" + entry.Name() + "/stat")
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue // ended while we read
		}
		if err != nil {
			return nil, fmt.Errorf("read a process: %w", err)
		}
		p, err := parseStat(text)
		if err != nil {
			return nil, fmt.Errorf("read process %s: %w", entry.Name(), err)
		}
		all[p.pid] = p
	}
	return all, nil
}

// parseStat reads a line of /proc/PID/stat. The second field is in
// parentheses and may itself hold any character, so fields are counted from
// the last parenthesis: 3 is the state, 4 the parent, 22 the start time.
//
//	1701 (a (b) c) S 1 1701 1701 0 -1 4194304 … 8731 …
func parseStat(line []byte) (process, error) {
	open, end := bytes.IndexByte(line, '('), bytes.LastIndexByte(line, ')')
	if open < 0 || end < open {
		return process{}, fmt.Errorf("%q has no name in parentheses", line)
	}
	pid, pidErr := strconv.Atoi(strings.TrimSpace(string(line[:open])))
	const third = 3
	fields := strings.Fields(string(line[end+1:]))
	if len(fields) <= 22-third {
		return process{}, fmt.Errorf("%q has fewer than 22 fields", line)
	}
	parent, parentErr := strconv.Atoi(fields[4-third])
	if err := errors.Join(pidErr, parentErr); err != nil {
		return process{}, err
	}
	return process{
		pid: pid, parent: parent,
		comm: string(line[open+1 : end]), state: fields[0], start: fields[22-third],
	}, nil
}
