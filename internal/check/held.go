//go:build linux

package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"lab/internal/inspect"
)

// buffer keeps the beginning of what a running program prints.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// maxOutput is how much of it: a program may print without end.
const maxOutput = 64 << 10

// Write keeps some output as long as there is room, and takes the rest all the
// same: a program that is not read from would wait.
func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	room := min(len(p), maxOutput-b.text.Len())
	b.text.Write(p[:room]) // never fails
	return len(p), nil
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
		return time.Minute // less than a check may take
	}
	return 10 * time.Second
}

// soon is how long the kernel and a program may take to do what nobody sees at once: to
// end, to be waited for, to give back what they had. A wrong program is waited for.
func soon() time.Duration { return patience() / 2 }

// find waits until the agent runs and fills in the pids.
func (h *Held) find(ctx context.Context, token string) error {
	err := Until(ctx, patience(), func() (bool, error) {
		select {
		case <-h.ended:
			return false, h.ranNothing(token)
		default:
		}
		if err := h.hostProc(); err != nil {
			return false, err
		}
		h.PID = agent(h.Program, token)
		return h.PID != 0 && strings.Contains(h.out.String(), "ready"), nil
	})
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return h.noBeginning()
	}
	if err != nil {
		return err
	}
	h.Init, err = containerInit(h.PID)
	return err
}

// agent returns the pid of the agent with this token among a process's
// descendants, or the process itself if it became the agent, or 0.
func agent(program int, token string) int {
	below, err := inspect.Descendants(program)
	if err != nil {
		return 0
	}
	for _, pid := range append(below, program) {
		if isAgent(pid, token) {
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
	ctx, cancel := context.WithTimeout(ctx, timeLimit())
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
			Mistake:   "waits-for-more",
		}
	}
}

// Until polls until a condition holds; after the deadline it is an error. Where a look
// takes long it is not taken more often than a quarter of the time: what is waited for
// needs a processor, too.
func Until(ctx context.Context, limit time.Duration, holds func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		began := time.Now()
		if ok, err := holds(); err != nil || ok {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited %s: %w", limit, ctx.Err())
		case <-time.After(max(5*time.Millisecond, 3*time.Since(began))):
		}
	}
}
