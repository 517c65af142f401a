//go:build linux

package trace

import (
	"fmt"
	"io"
	"time"

	"golang.org/x/sys/unix"
)

// Style is how a trace is printed.
type Style int

// The styles.
const (
	Page Style = iota // by process, with words
	Raw               // a line a call, as strace -f -o writes them
	JSON              // an object a line: docs/json.md
)

// shower tells what happens, as it happens.
type shower interface {
	call(tk *task, c *Call)
	end(p *process, status unix.WaitStatus)
	summary(s Summary)
}

// Summary is what is said at the end.
type Summary struct {
	Calls     int           // that were looked at: all, or those that the sieve holds up
	Shown     int           // those of them that were told
	Processes int           // that were traced
	Stops     int           // of any thread, for us to look at it
	Took      time.Duration // from the command's execve to the last end
	Busy      time.Duration // processor time of the tracing thread meanwhile
	Status    int           // the command's exit status
}

// perStop returns what a stop cost the tracer in processor time.
func (s Summary) perStop() time.Duration {
	if s.Stops == 0 {
		return 0
	}
	return s.Busy / time.Duration(s.Stops)
}

// raw prints a line a call.
//
//	4711  unshare(CLONE_NEWUTS) = 0
//	4711  +++ exited with 0 +++
type raw struct{ out io.Writer }

// call prints one call.
func (r raw) call(tk *task, c *Call) {
	fmt.Fprintf(r.out, "%d  %s = %s\n", tk.tid, c.Text(), c.Result())
}

// end prints how a process ended.
func (r raw) end(p *process, status unix.WaitStatus) {
	if status.Signaled() {
		core := pick(status.CoreDump(), " (core dumped)", "")
		fmt.Fprintf(r.out, "%d  +++ killed by %s%s +++\n", p.pid,
			signalName(uint64(status.Signal())), core)
		return
	}
	fmt.Fprintf(r.out, "%d  +++ exited with %d +++\n", p.pid, status.ExitStatus())
}

// summary prints nothing: the lines are for programs that read strace's.
func (raw) summary(Summary) {}
