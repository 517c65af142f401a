//go:build linux

package stage

import (
	"path/filepath"
	"strconv"
	"strings"

	"lab/final/internal/kernel"

	"golang.org/x/sys/unix"
)

// Go has a thread that looks after the others, sysmon. In a process's first milliseconds,
// and ours have no others, it wakes every 20 µs: a quarter of a start's processor time.
// The kernel may be late with a thread's timers by its slack, 50 µs unless somebody has
// said otherwise. Threads and processes inherit it from the thread that makes them. See
// PR_SET_TIMERSLACK(2const).

// late is the slack of threads that nobody waits for, in nanoseconds.
const late = 1_000_000

// Quiet has Go's own thread in this process wake less often: the first one that Go has
// made. Without CAP_SYS_NICE it does not.
//
//	ls /proc/self/task; echo 1000000 > /proc/SECOND/timerslack_ns
func Quiet() {
	dir, err := unix.Open("/proc/self/task", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	entries := make([]byte, 1024)
	n, _ := unix.Getdents(dir, entries) // without them all is as it was
	_ = unix.Close(dir)
	_, _, threads := unix.ParseDirent(entries[:max(n, 0)], -1, nil)
	if len(threads) < 2 {
		return
	}
	path := filepath.Join("/proc", threads[1], "timerslack_ns")
	if fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0); err == nil {
		_, _ = unix.Write(fd, strconv.AppendInt(nil, late, 10)) // refused: see above
		_ = unix.Close(fd)
	}
}

// Slack is the slack that our caller has given us, and that a command is to have: the
// first thread's.
func Slack() int {
	text, err := kernel.Read("/proc/self/timerslack_ns")
	if slack, no := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && no == nil {
		return slack
	}
	// Who may not read it has not changed it either.
	slack, _ := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0) // it knows no error
	return slack
}

// SetSlack sets the slack of this thread, and so that of a program which it executes and
// of all threads there.
func SetSlack(nanoseconds int) {
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(nanoseconds), 0, 0, 0) // nor does this
}
