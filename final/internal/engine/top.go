//go:build linux

package engine

import (
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"lab/final/internal/cgroup"
)

// Top returns those lines of ps(1) of the host, called with the given words, that are
// about the processes of a running container, and its head line.
func (e *Engine) Top(c *Container, words []string) (lines []string, err error) {
	if !c.State.Running {
		return nil, ErrNotRunning
	}
	group, err := cgroup.Of(c.State.Pid)
	if err != nil {
		return nil, ended(err)
	}
	pids, err := group.Procs(true)
	if err != nil {
		return nil, ended(err)
	}
	if len(words) == 0 {
		words = []string{"-ef"}
	}
	text, err := exec.Command("ps", words...).Output()
	if failure, ok := errors.AsType[*exec.ExitError](err); ok && len(failure.Stderr) > 0 {
		first, _, _ := strings.Cut(string(failure.Stderr), "\n")
		return nil, fmt.Errorf("ps %s: %s: %w", strings.Join(words, " "), first, err)
	}
	if err != nil {
		return nil, fmt.Errorf("ps %s: %w", strings.Join(words, " "), err)
	}
	return about(string(text), pids)
}

// about chooses the lines of some processes, by the column PID:
//
//	UID          PID    PPID  C STIME TTY          TIME CMD
//	root        4711    4702  0 03:14 ?        00:00:00 sleep 1000
func about(text string, pids []int) (chosen []string, err error) {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	column := slices.Index(strings.Fields(lines[0]), "PID")
	if column < 0 {
		return nil, errors.New("ps was not asked for a column PID")
	}
	for i, line := range lines {
		fields := strings.Fields(line)
		if i > 0 && len(fields) <= column {
			continue
		}
		pid, err := strconv.Atoi(fields[column])
		if i == 0 || err == nil && slices.Contains(pids, pid) {
			chosen = append(chosen, line)
		}
	}
	return chosen, nil
}
