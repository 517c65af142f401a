//go:build linux

package monitor

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Check is how it is found out whether a container works.
type Check struct {
	Process  json.RawMessage // in words that Orders.Process understands
	Interval time.Duration   // between the end of one check and the next
	Timeout  time.Duration   // of each
	Retries  int             // how many have to fail one after the other

	StartPeriod   time.Duration // in which a failure does not count
	StartInterval time.Duration // in place of Interval, in that period, if there is one
}

// Health is what the checks have found, in the words of `docker inspect`.
type Health struct {
	Status        string // starting, healthy, unhealthy
	FailingStreak int    // how many have failed one after the other
	Log           []Checked
}

// The words of Health.Status.
const (
	Starting  = "starting"
	Healthy   = "healthy"
	Unhealthy = "unhealthy"
)

// Checked is one check.
type Checked struct {
	Start, End time.Time
	ExitCode   int
	Output     string
}

// How much is kept: the last checks, and the beginning of what each said.
const (
	keptChecks = 5
	keptOutput = 4096
)

// watch checks the container again and again until it is gone.
func (m *Monitor) watch(gone <-chan struct{}) {
	check := m.o.Check
	began := time.Now()
	for {
		starting := time.Since(began) < check.StartPeriod
		pause := check.Interval
		if starting && check.StartInterval > 0 {
			pause = check.StartInterval
		}
		select {
		case <-gone:
			return
		case <-time.After(pause):
		}
		done, err := m.check()
		if errors.Is(err, ErrEnded) {
			continue // or it is paused
		}
		m.judge(done, time.Since(began) < check.StartPeriod, gone)
		shrink()
	}
}

// endChecks ends the checks of a container that has ended; the lock is held.
func (m *Monitor) endChecks() {
	if m.gone != nil {
		close(m.gone)
	}
	m.gone = nil
}

// check runs the check once. What cannot be executed has failed, too.
func (m *Monitor) check() (Checked, error) {
	done := Checked{Start: time.Now()}
	described, err := m.describe(m.o.Check.Process)
	if err != nil {
		return done, err
	}
	defer os.Remove(described)
	said, theirs, err := os.Pipe()
	if err != nil {
		return done, err
	}
	defer said.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return done, errors.Join(err, theirs.Close())
	}
	pid, _, err := m.runtimeStarts([]*os.File{null, theirs, theirs}, false, "exec", "--detach",
		"--process", described)
	_, _ = null.Close(), theirs.Close() // what was started has its own
	if err != nil {
		done.End, done.ExitCode, done.Output = time.Now(), statusOf(err), err.Error()
		return done, nil
	}
	text := make(chan string, 1)
	go func() { text <- beginning(said) }()
	done.ExitCode = m.waitAtMost(pid, m.o.Check.Timeout)
	done.End = time.Now()
	// What it has said is in the pipe, which something that it has left may keep open.
	_ = said.SetReadDeadline(time.Now().Add(time.Second)) // a pipe has deadlines
	done.Output = <-text
	return done, nil
}

// waitAtMost waits for the end of a process, and kills it when that takes too long.
func (m *Monitor) waitAtMost(pid int, patience time.Duration) int {
	fd, err := unix.PidfdOpen(pid, 0)
	if err == nil {
		defer unix.Close(fd) //nolint:errcheck // It was opened to send a signal.
		timer := time.AfterFunc(patience, func() {
			_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) // it may have ended in time
		})
		defer timer.Stop()
	}
	return exitCode(m.children.wait(pid))
}

// beginning reads all that is said, and returns its beginning.
func beginning(said io.Reader) string {
	var text bytes.Buffer
	_, err := io.CopyN(&text, said, keptOutput)
	if err == nil {
		_, _ = io.Copy(io.Discard, said) // so that who says more is not held up
	}
	return text.String()
}

// judge notes what a check has found.
func (m *Monitor) judge(done Checked, starting bool, gone <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if isClosed(gone) {
		return // it was the end of the container that it has found
	}
	before := *m.state.Health
	m.state.Health = before.after(done, starting && before.Status == Starting, m.o.Check.Retries)
	_ = m.o.Save(m.state) // the next check is noted as well
	if now := m.state.Health.Status; now != before.Status {
		m.o.Tell("health_status: "+now, nil)
	}
}

// after is what is known after one more check. While a container starts a failure tells
// nothing.
func (h Health) after(done Checked, starting bool, retries int) *Health {
	log := append(append([]Checked{}, h.Log...), done)
	h.Log = log[max(0, len(log)-keptChecks):]
	switch {
	case done.ExitCode == 0:
		h.Status, h.FailingStreak = Healthy, 0
	case !starting:
		h.FailingStreak++
		if h.FailingStreak >= retries {
			h.Status = Unhealthy
		}
	}
	return &h
}
