//go:build linux

package trace

import (
	"encoding/json"
	"io"
	"time"

	"golang.org/x/sys/unix"
)

// lines prints an object of JSON a line; docs/json.md has the fields.
type lines struct{ encoder *json.Encoder }

// newLines makes lines.
func newLines(out io.Writer) lines {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false) // < and > stand around paths
	return lines{encoder}
}

// put prints one object. An output that is gone is no reason to end the command.
func (l lines) put(object any) { _ = l.encoder.Encode(object) }

// call prints one call.
func (l lines) call(tk *task, c *Call) {
	object := struct {
		Type     string   `json:"type"`
		PID      int      `json:"pid"`
		TID      int      `json:"tid"`
		InnerPID int      `json:"inner_pid,omitempty"`
		Command  string   `json:"command"`
		Call     string   `json:"call"`
		ABI      string   `json:"abi,omitempty"`
		Args     []string `json:"args"`
		Return   *int64   `json:"return"`
		Errno    string   `json:"errno,omitempty"`
		Child    int      `json:"child_pid,omitempty"`
		Text     string   `json:"text"`
		Phrase   string   `json:"phrase,omitempty"`
		Shell    string   `json:"shell,omitempty"`
	}{
		Type: "call", PID: tk.proc.pid, TID: tk.tid, InnerPID: tk.proc.inner(),
		Command: tk.proc.name, Call: c.Name, ABI: c.Bits, Args: c.Args(),
		Text: c.Text() + " = " + c.Result(),
	}
	if c.finished {
		result := c.result
		if c.errno != 0 {
			result, object.Errno = -1, errorName(c.errno)
		}
		object.Return = &result
	}
	if c.child != nil {
		object.Child = c.child.pid
	}
	object.Phrase, object.Shell = c.Words(tk.proc)
	l.put(object)
}

// end prints how a process ended.
func (l lines) end(p *process, status unix.WaitStatus) {
	object := struct {
		Type     string `json:"type"`
		PID      int    `json:"pid"`
		InnerPID int    `json:"inner_pid,omitempty"`
		Command  string `json:"command"`
		Status   int    `json:"exit_status"`
		Signal   string `json:"signal,omitempty"`
	}{Type: "end", PID: p.pid, InnerPID: p.inner(), Command: p.name, Status: exitStatus(status)}
	if status.Signaled() {
		object.Signal = signalName(uint64(status.Signal()))
	}
	l.put(object)
}

// summary prints what the trace was and what it cost.
func (l lines) summary(s Summary) {
	l.put(struct {
		Type      string  `json:"type"`
		Calls     int     `json:"calls"`
		Shown     int     `json:"shown"`
		Processes int     `json:"processes"`
		Stops     int     `json:"stops"`
		StopUS    float64 `json:"stop_us"`
		TookMS    float64 `json:"took_ms"`
		Status    int     `json:"exit_status"`
	}{
		"summary", s.Calls, s.Shown, s.Processes, s.Stops,
		float64(s.perStop().Nanoseconds()) / float64(time.Microsecond),
		float64(s.Took.Microseconds()) / 1000, s.Status,
	})
}

// exitStatus returns a status as a shell has it: 128+n for signal n.
func exitStatus(status unix.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}
