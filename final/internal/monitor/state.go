//go:build linux

package monitor

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// State is how a container is doing, in the words of `docker inspect`.
type State struct {
	Status     string // created, running, paused, restarting, exited
	Running    bool
	Paused     bool
	Restarting bool
	OOMKilled  bool
	Dead       bool
	Pid        int
	ExitCode   int
	Error      string
	StartedAt  time.Time
	FinishedAt time.Time

	Health       *Health `json:",omitempty"` // if it is checked
	RestartCount int
	// Monitor is who writes this while the container runs, or who is about to start it.
	Monitor Process
}

// The words of State.Status.
const (
	Created    = "created"
	Running    = "running"
	Paused     = "paused"
	Restarting = "restarting"
	Gone       = "exited"
)

// Process is one that can be told from a later one with its number.
type Process struct {
	Pid   int    `json:",omitempty"`
	Start uint64 `json:",omitempty"` // when it began, in ticks since the machine did
	Boot  string `json:",omitempty"` // the machine's boot, by the kernel's random number
}

// Self is this process.
func Self() (Process, error) {
	boot, err := Boot()
	if err != nil {
		return Process{}, err
	}
	start, _, err := startTime(os.Getpid())
	return Process{Pid: os.Getpid(), Start: start, Boot: boot}, err
}

// Boot tells one run of the machine from another.
var Boot = sync.OnceValues(func() (string, error) {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(text)), err
})

// Alive reports whether the process still runs; a zombie does not.
func (p Process) Alive() bool {
	if p.Pid <= 1 {
		return false
	}
	boot, err := Boot()
	if err != nil || boot != p.Boot {
		return false
	}
	start, zombie, err := startTime(p.Pid)
	return err == nil && start == p.Start && !zombie
}

// StartTime is when a process began, in ticks since the machine did.
func StartTime(pid int) (uint64, error) {
	start, _, err := startTime(pid)
	return start, err
}

// startTime reads when a process began and whether it is a zombie. The name may hold
// blanks and brackets, so what counts begins behind the last one:
//
//	1234 (mini) S 1 1234 1234 0 -1 4194560 … 8123456 …
//	            (3)                          (22)
func startTime(pid int) (start uint64, zombie bool, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, false, err
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 20 {
		return 0, false, fmt.Errorf("/proc/%d/stat is cut short", pid)
	}
	start, err = strconv.ParseUint(fields[19], 10, 64)
	return start, fields[0] == "Z" || fields[0] == "X", err
}
