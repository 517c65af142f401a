//go:build linux

package check

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"

	"golang.org/x/sys/unix"
)

// Traced is a system call that `lab trace` saw: one of those that make a
// container, of the program or of anything that it started.
type Traced struct {
	Type  string   `json:"type"`
	PID   int      `json:"pid"`
	Call  string   `json:"call"`
	Args  []string `json:"args"`
	Errno string   `json:"errno"`
	Text  string   `json:"text"` // as strace(1) prints it
}

// Trace runs the program once under ptrace(2) and returns its calls in order.
func (s *Subject) Trace(ctx context.Context, flags []string, command ...string) ([]Traced, error) {
	return s.traceLine(ctx, s.command(ctx, flags, command))
}

// traceLine runs any command line under `lab trace`, with more of its flags.
func (s *Subject) traceLine(
	ctx context.Context, cmd *exec.Cmd, more ...string,
) ([]Traced, error) {
	if s.Lab == "" {
		return nil, errors.New("no lab is given to trace with")
	}
	file, err := os.CreateTemp("", "lab-trace-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = errors.Join(file.Close(), os.Remove(file.Name())) }() // it was read
	ctx, cancel := context.WithTimeout(ctx, timeLimit())
	defer cancel()
	line := slices.Concat([]string{"trace", "--json", "-o", file.Name()}, more, []string{"--"},
		cmd.Args)
	traced := exec.CommandContext(ctx, s.Lab, line...)
	traced.SysProcAttr, traced.WaitDelay, traced.Env = cmd.SysProcAttr, cmd.WaitDelay, cmd.Env
	traced.Cancel = func() error { return traced.Process.Signal(unix.SIGTERM) }
	runtime.LockOSThread() // for the Pdeathsig, see Start
	out, err := traced.CombinedOutput()
	runtime.UnlockOSThread()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		return nil, fmt.Errorf("trace %s: %w", cmd.Args[0], err)
	}
	text, err := os.ReadFile(file.Name())
	if err != nil {
		return nil, err
	}
	calls, err := readTrace(text)
	if err == nil && len(calls) == 0 {
		first, _, _ := bytes.Cut(bytes.TrimPrefix(out, []byte("lab: ")), []byte("\n"))
		err = fmt.Errorf("nothing was seen: %s", first)
	}
	return calls, err
}

// readTrace reads the calls of a trace:
//
//	{"type":"call","pid":7,"call":"execve","args":["\"/bin/true\"", …],"errno":"ENOENT", …}
//	{"type":"end","pid":7, …}
func readTrace(text []byte) ([]Traced, error) {
	var calls []Traced
	for line := range bytes.Lines(text) {
		var call Traced
		if err := json.Unmarshal(line, &call); err != nil {
			return nil, fmt.Errorf("read the trace %q: %w", line, err)
		}
		if call.Type == "call" {
			calls = append(calls, call)
		}
	}
	return calls, nil
}
