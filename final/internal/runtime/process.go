package runtime

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"lab/final/internal/kernel"

	"golang.org/x/sys/unix"
)

// process is a process that can be told from a later one with the same number.
type process struct {
	PID   int    `json:"pid,omitempty"`
	Start uint64 `json:"start,omitempty"` // when it started, in ticks since the machine did
}

// identify notes who a process is.
func identify(pid int) (process, error) {
	start, err := startOf(pid)
	return process{pid, start}, err
}

// startOf reads the start time of a process. Its name is in parentheses and may hold any
// character, so what is read begins after the last one.
//
//	4422 (sleep) S 4410 4422 4422 0 -1 4194560 … 22nd: 8812345 …
func startOf(pid int) (uint64, error) {
	text, err := kernel.Read(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	const startTime = 22 - 3 // the third field is the first of these
	if len(fields) <= startTime {
		return 0, fmt.Errorf("/proc/%d/stat: %q", pid, text)
	}
	return strconv.ParseUint(fields[startTime], 10, 64)
}

// alive reports whether the process runs still. A zombie does not.
func (p process) alive() bool {
	fd, err := p.open()
	if err == nil {
		_ = unix.Close(fd) // it was not written to
	}
	return err == nil
}

// open opens the process as a file, and makes sure that it is this one and not another
// that got its number.
func (p process) open() (int, error) {
	if p.PID <= 1 {
		return -1, ErrNotRunning
	}
	fd, err := unix.PidfdOpen(p.PID, 0)
	if errors.Is(err, unix.ESRCH) {
		return -1, ErrNotRunning
	}
	if err != nil {
		return -1, fmt.Errorf("pidfd_open %d: %w", p.PID, err)
	}
	if start, err := startOf(p.PID); err != nil || start != p.Start || dead(fd) {
		return -1, errors.Join(ErrNotRunning, unix.Close(fd))
	}
	return fd, nil
}

// dead asks a process's file: it can be read once no thread is left. The state in
// /proc/PID/stat is the first thread's alone, which is a zombie for a moment while
// another thread executes a program (pidfd_open(2), execve(2)).
func dead(pidfd int) bool {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, 0)
	return err == nil && n > 0
}

// signal sends a signal to the process.
func (p process) signal(signal unix.Signal) error {
	fd, err := p.open()
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }() // it was not written to
	err = unix.PidfdSendSignal(fd, signal, nil, 0)
	if errors.Is(err, unix.ESRCH) {
		return ErrNotRunning
	}
	if err != nil {
		return fmt.Errorf("send signal %d to process %d: %w", signal, p.PID, err)
	}
	return nil
}

// end kills the process and waits until it is dead. That it is dead already is fine.
func (p process) end() error {
	fd, err := p.open()
	if errors.Is(err, ErrNotRunning) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }() // it was not written to
	err = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
	if err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("kill process %d: %w", p.PID, err)
	}
	return awaitEnd(fd)
}

// awaitEnd waits for the death of an open process. It may remain a zombie.
func awaitEnd(pidfd int) error {
	deadline := time.Now().Add(patience)
	for {
		left := time.Until(deadline)
		if left <= 0 {
			return fmt.Errorf("it is still there after %s", patience)
		}
		poll := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
		n, err := unix.Poll(poll, int(left.Milliseconds())+1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		if n > 0 {
			return nil
		}
	}
}
