//go:build linux

package monitor

import (
	"errors"
	"os"
	"os/signal"
	"sync"

	"golang.org/x/sys/unix"
)

// reaper takes the exit status of every child: those that were started here, and those
// that became ours when the runtime ended, for we are their subreaper.
type reaper struct {
	mu    sync.Mutex
	ended map[int]unix.WaitStatus // whom nobody has asked for yet
	asked map[int]chan unix.WaitStatus
}

// newReaper begins to reap.
func newReaper() *reaper {
	r := &reaper{ended: map[int]unix.WaitStatus{}, asked: map[int]chan unix.WaitStatus{}}
	signals := make(chan os.Signal, 1) // one that waits is enough: all are reaped for it
	signal.Notify(signals, unix.SIGCHLD)
	go func() {
		for range signals {
			r.reap()
		}
	}()
	return r
}

// reap takes all children that have ended.
func (r *reaper) reap() {
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || pid == 0 {
			return
		}
		r.mu.Lock()
		if asked, ok := r.asked[pid]; ok {
			asked <- status
			delete(r.asked, pid)
		} else {
			r.ended[pid] = status
		}
		r.mu.Unlock()
	}
}

// wait waits for the end of one child; each may be waited for once.
func (r *reaper) wait(pid int) unix.WaitStatus {
	r.mu.Lock()
	if status, ok := r.ended[pid]; ok {
		delete(r.ended, pid)
		r.mu.Unlock()
		return status
	}
	asked := make(chan unix.WaitStatus, 1)
	r.asked[pid] = asked
	r.mu.Unlock()
	return <-asked
}

// exitCode is a status as a shell tells it: 128+n for signal n.
func exitCode(status unix.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}
