//go:build linux

package trace

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// tracer drives every traced thread from one thread of ours, to which ptrace(2)
// ties them.
type tracer struct {
	decoder *decoder
	all     bool
	show    shower

	root  int
	tasks map[int]*task
	// early are new threads that stopped before their parent's event told of them.
	// They stay stopped: their first call must not be told before their birth.
	early map[int]bool

	// lock guards processes, which the goroutine that ends them all reads.
	lock      sync.Mutex
	processes map[int]*process

	sieved  bool       // the sieve is installed: not every call is a stop
	begun   bool       // the starter is about to become the command
	became  bool       // and has become it
	failure unix.Errno // or why it could not
	status  unix.WaitStatus
	count   Summary
}

// loop handles stops until no traced thread is left.
func (t *tracer) loop() error {
	for {
		var status unix.WaitStatus
		tid, err := unix.Wait4(-1, &status, unix.WALL, nil)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ECHILD):
			return nil
		case err != nil:
			return fmt.Errorf("wait for the traced processes: %w", err)
		}
		if err := t.handle(tid, status); err != nil && !errors.Is(err, unix.ESRCH) {
			// ESRCH is a thread that was killed while it was stopped: its end is told
			// by a wait of its own.
			return err
		}
	}
}

// handle deals with one change of one thread.
func (t *tracer) handle(tid int, status unix.WaitStatus) error {
	tk := t.tasks[tid]
	switch {
	case !status.Stopped():
		return t.ended(tid, status)
	case tk == nil:
		t.early[tid] = true
		return nil
	}
	if t.begun {
		t.count.Stops++
	}

	signal := status.StopSignal()
	switch event := int(status) >> 16; event {
	case 0:
		if signal == syscallStop {
			return t.atCall(tk)
		}
		return t.pass(tk, signal)
	case unix.PTRACE_EVENT_FORK, unix.PTRACE_EVENT_VFORK, unix.PTRACE_EVENT_CLONE:
		if err := t.cloned(tk); err != nil {
			return err
		}
	case unix.PTRACE_EVENT_EXEC:
		if err := t.executed(tk); err != nil {
			return err
		}
	case unix.PTRACE_EVENT_SECCOMP:
		if err := t.passed(tk); err != nil {
			return err
		}
	case unix.PTRACE_EVENT_STOP:
		if isStop(signal) {
			return listen(tid)
		}
	}
	return t.resume(tk, 0)
}

// isStop reports whether a signal stops a process.
func isStop(signal unix.Signal) bool {
	return slices.Contains(
		[]unix.Signal{unix.SIGSTOP, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU}, signal)
}

// pass hands a signal on that stopped the thread on its way.
func (t *tracer) pass(tk *task, signal unix.Signal) error {
	if !t.begun && signal == unix.SIGCONT {
		signal = 0 // ours to the starter
	}
	return t.resume(tk, signal)
}

// atCall deals with a stop at the entry or the exit of a call.
func (t *tracer) atCall(tk *task) error {
	if tk.passing {
		// The exit of a call that nobody wants to hear of: there is nothing to ask.
		tk.passing = false
		return t.resume(tk, 0)
	}
	info, err := callInfo(tk.tid)
	if errors.Is(err, unix.EIO) {
		return fmt.Errorf("ask for the system call: %w: Linux 5.3 can, this kernel cannot", err)
	}
	if err != nil {
		return err
	}
	switch info.Op {
	case atEntry:
		t.enter(tk, info)
	case atExit:
		t.leave(tk, info)
	}
	return t.resume(tk, 0)
}

// enter looks at a call before the kernel does.
func (t *tracer) enter(tk *task, info syscallInfo) {
	c := t.decoder.newCall(info)
	if !t.begun {
		// The starter's own calls are not the command's.
		if t.begun = c.Name == "execve" && tk.tid == t.root; !t.begun {
			return
		}
	}
	t.count.Calls++
	c.watched = t.watch(tk, c)
	if tk.passing = !c.watched && !t.all; tk.passing {
		return
	}
	tk.call = c
	t.use(tk)
	t.decoder.decode(c)
}

// use makes the decoder read in this thread's memory.
func (t *tracer) use(tk *task) {
	pid := tk.proc.pid
	t.decoder.mem = ofTask(tk.tid)
	t.decoder.path = func(fd int) string { return descriptorPath(pid, fd) }
}

// leave takes a call's result and tells the call.
func (t *tracer) leave(tk *task, info syscallInfo) {
	c := tk.call
	tk.call = nil
	if c == nil || c.shown {
		return
	}
	c.finish(info)
	t.ownFilter(tk, c)
	if !t.became && c.Name == "execve" {
		t.failure = c.errno
	}
	t.use(tk)
	t.decoder.decodeResults(c)
	t.tell(tk, c)
}

// tell shows a call, once.
func (t *tracer) tell(tk *task, c *Call) {
	c.shown = true
	t.count.Shown++
	t.show.call(tk, c)
}
