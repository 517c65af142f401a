package network

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// process is one that can be told from a later one with the same number, even after
// the machine was started anew.
type process struct {
	PID   int    `json:"pid,omitempty"`
	Start string `json:"start,omitempty"` // in ticks since the machine started
	Boot  string `json:"boot,omitempty"`  // /proc/sys/kernel/random/boot_id
}

// identify notes who a process is.
func identify(pid int) (process, error) {
	start, err := startOf(pid)
	if err != nil {
		return process{}, err
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return process{pid, start, strings.TrimSpace(string(boot))}, err
}

// startOf reads when a process started. Its name stands in parentheses and may hold any
// character, so what is read begins after the last one.
//
//	4422 (sleep) S 4410 4422 4422 0 -1 4194560 … 22nd: 8812345 …
func startOf(pid int) (string, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", err
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	const startTime = 22 - 3 // the third field is the first of these
	if len(fields) <= startTime {
		return "", fmt.Errorf("/proc/%d/stat: %q", pid, text)
	}
	return fields[startTime], nil
}

// alive reports whether the process runs.
func (p process) alive() bool {
	if p.PID <= 1 {
		return false
	}
	fd, err := unix.PidfdOpen(p.PID, 0)
	if err != nil {
		return false
	}
	defer os.NewFile(uintptr(fd), "pidfd").Close()
	// A pidfd can be read once no thread of its process is left (pidfd_open(2)).
	ended, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
	if err != nil || ended > 0 {
		return false
	}
	now, err := identify(p.PID)
	return err == nil && now == p
}
