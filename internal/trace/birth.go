//go:build linux

package trace

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// cloned is the stop of a thread that has just made another one or a process. The
// call is told now: a vfork(2) returns only after the child's execve(2), which
// would then come first.
func (t *tracer) cloned(parent *task) error {
	tid, err := eventMessage(parent.tid)
	if err != nil {
		return err
	}
	child := t.tasks[tid]
	if child == nil {
		child = t.adopt(tid)
	}
	if c := parent.call; c != nil && !c.shown {
		c.finished, c.child = true, child.proc
		c.pid = child.proc.seenBy(parent.proc)
		c.result = int64(c.pid)
		if child.tid != child.proc.pid {
			c.child, c.result = nil, int64(tid) // a thread
		}
		t.use(parent)
		t.decoder.decodeResults(c)
		t.tell(parent, c)
	}
	child.proc.closely = child.proc.closely || parent.proc.closely
	return t.release(child)
}

// release lets a new thread run that stopped too early.
func (t *tracer) release(tk *task) error {
	if !t.early[tk.tid] {
		return nil // its first stop is still to come
	}
	delete(t.early, tk.tid)
	return t.resume(tk, 0)
}

// adopt enters a new thread into the tables.
func (t *tracer) adopt(tid int) *task {
	pid := threadGroup(tid)
	p := t.processes[pid]
	if p == nil {
		p = newProcess(pid)
		t.lock.Lock()
		t.processes[pid] = p
		t.lock.Unlock()
		if t.begun {
			t.count.Processes++
		}
	}
	tk := &task{tid: tid, proc: p}
	t.tasks[tid] = tk
	return tk
}

// executed is the stop of a thread that has become a new program. All others of
// its process are gone, and it has taken over the process's number.
func (t *tracer) executed(tk *task) error {
	former, err := eventMessage(tk.tid)
	if err != nil {
		return err
	}
	if old := t.tasks[former]; old != nil && former != tk.tid {
		tk.call, tk.passing = old.call, old.passing
		delete(t.tasks, former)
	}
	t.became = t.became || t.begun
	t.lock.Lock()
	tk.proc.look()
	t.lock.Unlock()
	return nil
}

// ended takes a thread out of the tables; with its first thread, which the kernel
// keeps for last, a process is over.
func (t *tracer) ended(tid int, status unix.WaitStatus) error {
	delete(t.early, tid)
	tk := t.tasks[tid]
	if tk == nil {
		return nil
	}
	delete(t.tasks, tid)
	if c := tk.call; c != nil && !c.shown {
		t.tell(tk, c) // it was killed in the middle, or this was exit(2)
	}
	if tid == tk.proc.pid {
		t.over(tk.proc, status)
	}

	// A parent that was killed in the middle of a clone has no event for it.
	for tid := range t.early {
		child := t.adopt(tid)
		child.proc.closely = true // its parent may have had a filter
		if err := t.release(child); err != nil {
			return err
		}
	}
	return nil
}

// over is the end of a process.
func (t *tracer) over(p *process, status unix.WaitStatus) {
	t.lock.Lock()
	delete(t.processes, p.pid)
	p.close()
	t.lock.Unlock()
	if p.pid == t.root {
		t.status = status
	}
	if t.begun {
		t.show.end(p, status)
	}
}

// ending puts how a process ended into words.
func ending(status unix.WaitStatus) string {
	if status.Signaled() {
		text := "killed by " + signalName(uint64(status.Signal()))
		if status.CoreDump() {
			text += " (core dumped)"
		}
		return text
	}
	return fmt.Sprintf("exit status %d", status.ExitStatus())
}
