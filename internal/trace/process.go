//go:build linux

package trace

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// process is a traced process: a thread group.
type process struct {
	pid    int
	levels []int  // its pid in each pid namespace, the outermost first
	name   string // as in /proc/PID/comm when it last changed
	pidfd  int    // -1 where there is none; signals go through it
	// closely is set when it has a filter of its own: every call is a stop.
	closely bool
}

// task is one traced thread. The kernel stops, resumes and numbers threads;
// processes are only a view of them.
type task struct {
	tid  int
	proc *process
	call *Call // that is told, between its entry and its exit; else nil
	// passing is set between the two of a call that is not told.
	passing bool
}

// newProcess looks at a process that is stopped and so cannot vanish.
func newProcess(pid int) *process {
	p := &process{pid: pid, pidfd: -1}
	if fd, err := unix.PidfdOpen(pid, 0); err == nil {
		p.pidfd = fd
	}
	p.look()
	return p
}

// look reads what may change by execve(2), prctl(2) or a new pid namespace.
func (p *process) look() {
	p.name = ""
	if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", p.pid)); err == nil {
		p.name = strings.TrimRight(string(text), "\n")
	}
	p.levels = p.levels[:0]
	for field := range strings.FieldsSeq(statusField(p.pid, "NSpid")) {
		if n, err := strconv.Atoi(field); err == nil {
			p.levels = append(p.levels, n)
		}
	}
}

// inner returns the pid that the process knows itself by where that is another
// one than ours for it, else 0.
func (p *process) inner() int {
	if len(p.levels) < 2 {
		return 0
	}
	return p.levels[len(p.levels)-1]
}

// seenBy returns the pid of p as another process sees it.
func (p *process) seenBy(other *process) int {
	if i := len(other.levels) - 1; i >= 0 && i < len(p.levels) {
		return p.levels[i]
	}
	return p.pid
}

// kill ends a process. The descriptor is of this very process, so no other can
// be hit that has got its pid meanwhile.
func (p *process) kill(signal unix.Signal) {
	if p.pidfd >= 0 {
		_ = unix.PidfdSendSignal(p.pidfd, signal, nil, 0) // it may have ended by itself
	}
}

// statusField returns a field of /proc/PID/status, or "".
//
//	Tgid:	4711
//	NSpid:	4711	1
func statusField(pid int, name string) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && key == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// threadGroup returns the pid of the process that a thread belongs to.
func threadGroup(tid int) int {
	if pid, err := strconv.Atoi(statusField(tid, "Tgid")); err == nil {
		return pid
	}
	return tid
}

// close gives the descriptor of a process back that is over.
func (p *process) close() {
	if p.pidfd >= 0 {
		_ = unix.Close(p.pidfd) // there is nothing to lose
		p.pidfd = -1
	}
}
