//go:build linux

package trace

import (
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// Options say what is told of a command, and where.
type Options struct {
	Command []string
	All     bool // every call, not only those that make a container
	Stops   bool // at every call, even where a filter could choose
	Style   Style
	Out     io.Writer
	Width   int  // columns of a page
	Colour  bool // of a page
}

// ErrNotFound means that there is no such command; ErrNotExecutable that there is
// one and it cannot be run.
var (
	ErrNotFound      = errors.New("command not found")
	ErrNotExecutable = errors.New("cannot be executed")
)

// Run runs a command and tells its calls until it and all its descendants have
// ended. It returns the command's exit status, 128+n if signal n killed it.
func Run(o Options) (status int, err error) {
	path, err := find(o.Command[0])
	if err != nil {
		return 0, err
	}
	// ptrace(2) ties the traced threads to the thread that seized them.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	t := &tracer{
		decoder: &decoder{table: newTable()}, all: o.All, show: newShower(o),
		tasks: map[int]*task{}, early: map[int]bool{}, processes: map[int]*process{},
	}
	stopPassing := t.passSignals()
	defer stopPassing()
	if t.root, err = start(o.way(), path, o.Command); err != nil {
		return 0, fmt.Errorf("trace %s: %w", o.Command[0], err)
	}
	t.adopt(t.root)
	t.count.Processes = 1

	// Our own child and not reaped, so the pid is nobody else's.
	if err := unix.Kill(t.root, unix.SIGCONT); err != nil {
		return 0, fmt.Errorf("let %s begin: %w", o.Command[0], err)
	}
	began, busy := time.Now(), threadTime()
	if err := t.loop(); err != nil {
		return 0, fmt.Errorf("trace %s: %w", o.Command[0], err)
	}
	if t.failure != 0 && !t.became {
		return 0, refused(path, t.failure)
	}
	t.count.Took, t.count.Busy = time.Since(began), threadTime()-busy
	t.count.Status = exitStatus(t.status)
	t.show.summary(t.count)
	return t.count.Status, nil
}

// way returns how the command is traced.
func (o Options) way() string {
	if o.All || o.Stops || !mayInstallSieve() {
		return withoutSieve
	}
	return withSieve
}

// newShower makes what prints in a style.
func newShower(o Options) shower {
	switch o.Style {
	case Raw:
		return raw{o.Out}
	case JSON:
		return newLines(o.Out)
	default:
		return newPage(o.Out, o.Width, o.Colour)
	}
}

// find looks a command up as execvp(3) does.
func find(name string) (string, error) {
	path, err := exec.LookPath(name)
	switch {
	case err == nil || errors.Is(err, exec.ErrDot):
		return path, nil
	case errors.Is(err, unix.ENOENT) || errors.Is(err, exec.ErrNotFound):
		return "", fmt.Errorf("trace %s: %w", name, ErrNotFound)
	}
	return "", fmt.Errorf("trace %s: %w: %w", name, ErrNotExecutable, cause(err))
}

// refused says why execve(2) did not make the starter the command.
func refused(path string, errno unix.Errno) error {
	if errno == unix.ENOENT {
		return fmt.Errorf("trace %s: %w: its interpreter is missing: %w", path, ErrNotFound, errno)
	}
	return fmt.Errorf("trace %s: %w: %w", path, ErrNotExecutable, errno)
}

// cause returns what the kernel said, without the names that Go puts before.
func cause(err error) error {
	if errno, ok := errors.AsType[unix.Errno](err); ok {
		return errno
	}
	return err
}

// threadTime returns the processor time that this thread has used.
func threadTime() time.Duration {
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &now) != nil {
		return 0
	}
	return time.Duration(now.Nano())
}
