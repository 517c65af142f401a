//go:build linux

package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"lab/internal/inspect"
)

// buffer keeps what a running program prints.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write keeps some output.
func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// String returns all output so far.
func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// patience is how long a container may take to start: a virtual machine without
// help from the processor is many times slower.
func patience() time.Duration {
	if os.Getenv("LAB_VM") != "" {
		return time.Minute
	}
	return 10 * time.Second
}

// find waits until the agent runs and fills in the pids.
func (h *Held) find(ctx context.Context, token string) error {
	err := Until(ctx, patience(), func() (bool, error) {
		select {
		case <-h.ended:
			return false, h.ranNothing()
		default:
		}
		if err := h.hostProc(); err != nil {
			return false, err
		}
		h.PID = agent(h.Program, token)
		return h.PID != 0 && strings.Contains(h.out.String(), "ready"), nil
	})
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return &Failure{
			Command: h.Command, Expected: "the command runs",
			Kernel: fmt.Sprintf("neither the command nor the program's end after %s", patience()),
			Diagnosis: "The program or its child waits for something that does not come. " +
				"(Go does so where UidMappings are given without CLONE_NEWUSER.)",
			Look: fmt.Sprintf("cat /proc/%d/wchan", h.Program),
		}
	}
	if err != nil {
		return err
	}
	h.Init, err = containerInit(h.PID)
	return err
}

// ranNothing says why a program ended before its command did.
func (h *Held) ranNothing() *Failure {
	f := &Failure{
		Command: h.Command, Expected: "the command runs until its input ends",
		Kernel: fmt.Sprintf("the program ended with status %d; it said: %s",
			status(h.cmd), strings.TrimSpace(h.errOut.String())),
		Diagnosis: "The command was not run, or ended at once.",
	}
	switch status(h.cmd) {
	case 2:
		f.Mistake = "flag-unknown"
		f.Diagnosis = "The program did not understand its command line: " +
			"the flag that this step brings is missing, or takes something else."
	case 125:
		f.gaveUp()
	}
	return f
}

// gaveUp says that the program itself ended the matter, with status 125.
func (f *Failure) gaveUp() {
	f.Mistake = "gave-up"
	f.Diagnosis = "The program gave up by itself before the command ran; " +
		"the line that it printed names the call."
}

// hostProc tells whether the caller's /proc is the caller's still: a program that
// mounts in its own mount namespace and not in a new one takes it away.
func (h *Held) hostProc() error {
	self, err := os.Readlink("/proc/self")
	if err == nil && self == strconv.Itoa(os.Getpid()) {
		return nil
	}
	return &Failure{
		Command: h.Command, Expected: "the host's /proc stays what it was",
		Kernel: fmt.Sprintf("on the host /proc/self is %q, not process %d: %v",
			self, os.Getpid(), err),
		Diagnosis: "The container's mounts were made on the host: the child was cloned without " +
			"CLONE_NEWNS, or its mounts are shared with the host's.",
		Look: "umount /proc, on the host, before anything else",
	}
}

// agent returns the pid of the agent with this token among a process's
// descendants, or the process itself if it became the agent, or 0.
func agent(program int, token string) int {
	below, err := inspect.Descendants(program)
	if err != nil {
		return 0
	}
	for _, pid := range append(below, program) {
		args, err := inspect.Cmdline(pid)
		if err == nil && len(args) >= 3 && args[1] == "hold" && args[2] == token {
			return pid
		}
	}
	return 0
}

// containerInit returns the topmost ancestor of a process that is in the same
// PID namespace, or the process itself if that namespace is the caller's.
func containerInit(pid int) (int, error) {
	namespace, err := inspect.Namespace(pid, "pid")
	if err != nil {
		return 0, err
	}
	if own, err := inspect.Namespace(os.Getpid(), "pid"); err != nil || own == namespace {
		return pid, err
	}
	for {
		s, err := inspect.ReadStatus(pid)
		if err != nil {
			return 0, err
		}
		above, err := inspect.Namespace(s.PPid, "pid")
		if err != nil || above != namespace {
			return pid, nil //nolint:nilerr // no parent in sight ends the walk as well
		}
		pid = s.PPid
	}
}

// Output returns what the container has printed so far.
func (h *Held) Output() string { return h.out.String() }

// Signal sends a signal to the program itself, on the host.
func (h *Held) Signal(sig os.Signal) error {
	if err := h.cmd.Process.Signal(sig); err != nil {
		return fmt.Errorf("signal the program: %w", err)
	}
	return nil
}

// Stop ends the agent by closing its input and returns what the program left.
func (h *Held) Stop(ctx context.Context) (Result, error) {
	if err := h.stdin.Close(); err != nil {
		return Result{}, fmt.Errorf("end the agent: %w", err)
	}
	return h.Wait(ctx)
}

// kill ends the program at once and, by its input, an agent that is left.
func (h *Held) kill() {
	_ = h.cmd.Process.Kill() // it may have ended already
	<-h.ended
	_ = h.stdin.Close() // it may be closed already
}

// Wait waits until the program ends.
func (h *Held) Wait(ctx context.Context) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, timeLimit)
	defer cancel()
	defer h.stdin.Close()
	select {
	case <-h.ended:
		return Result{h.Command, status(h.cmd), h.out.String(), h.errOut.String()}, nil
	case <-ctx.Done():
		h.kill()
		return Result{}, &Failure{
			Command: h.Command, Expected: "the program ends when its command has ended",
			Kernel:    "it still runs",
			Diagnosis: "The program waits for something else than its command.",
		}
	}
}

// Until polls until a condition holds; after the deadline it is an error.
func Until(ctx context.Context, limit time.Duration, holds func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		if ok, err := holds(); err != nil || ok {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited %s: %w", limit, ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}
