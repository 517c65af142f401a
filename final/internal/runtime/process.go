package runtime

import (
	"errors"
	"fmt"
	"os"
	goruntime "runtime"
	"strconv"
	"strings"
	"time"

	"lab/final/internal/kernel"
	"lab/final/internal/plan"
	"lab/final/internal/spec"

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

// affinity has this thread, and so the process that it clones, compute on some
// processors alone. The thread stays that goroutine's for good.
func affinity(op plan.Affinity) error {
	goruntime.LockOSThread()
	cpus, err := spec.CPUs(op.CPUs)
	if err != nil {
		return err
	}
	return unix.SchedSetaffinity(0, &cpus)
}

// oomScore makes a process more or less likely to be killed when memory runs out. That it
// may not be less likely is told without "permission denied": by these words clients know
// a command that may not be executed, and make 126 of them.
//
//	echo -500 > /proc/PID/oom_score_adj
func oomScore(pid, value int) error {
	path := fmt.Sprintf("/proc/%d/oom_score_adj", pid)
	err := os.WriteFile(path, fmt.Append(nil, value), 0)
	if !errors.Is(err, unix.EACCES) {
		return err
	}
	own, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return fmt.Errorf("it is %s, and to lower it takes CAP_SYS_RESOURCE",
		strings.TrimSpace(string(own)))
}

// require looks for a security module.
//
//	Y
func require(op plan.Require) error {
	text, err := os.ReadFile(op.File())
	if err != nil || strings.HasPrefix(string(text), "N") {
		return fmt.Errorf("there is no %s on this machine, and a label of it is asked for",
			op.Module)
	}
	return nil
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
