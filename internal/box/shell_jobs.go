//go:build linux

package box

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"mvdan.cc/sh/v3/interp"
)

// job is one background statement.
type job struct {
	number int
	text   string
	pid    atomic.Int64  // of its first external command; 0 before there is one
	known  chan struct{} // closed once pid is set
	busy   chan struct{} // closed once it does what may never come to a process
	once   sync.Once     // of closing busy
	done   chan struct{}
	status int
}

type jobKey struct{}

// jobOf returns the job a command runs for, nil in the foreground.
func jobOf(ctx context.Context) *job {
	j, _ := ctx.Value(jobKey{}).(*job)
	return j
}

// started reports a pid of the job; the first one stays its name.
func (j *job) started(pid int) {
	if j.pid.CompareAndSwap(0, int64(pid)) {
		close(j.known)
	}
}

// lingers reports that the job is at work without a process, on a builtin or in the
// queue at a named pipe. In the foreground, where there is no job, it does nothing.
func (j *job) lingers() {
	if j != nil {
		j.once.Do(func() { close(j.busy) })
	}
}

// builtin runs one of our own builtins.
func (s *shell) builtin(ctx context.Context, hc interp.HandlerContext, name string,
	args []string,
) error {
	var err error
	switch name {
	case "exec":
		return s.replace(hc, args)
	case "start":
		return s.startJob(ctx, hc, args[0])
	case "traps":
		if err := s.runTraps(ctx, hc); err != nil {
			return err
		}
		return hc.Builtin(ctx, []string{"eval", quoteAll(args)})
	case "kill":
		return s.external(ctx, hc, append([]string{"kill"}, s.jobPIDs(args)...))
	case "wait":
		return s.waitJobs(ctx, hc, args)
	case "jobs":
		s.listJobs(hc.Stdout)
	case "fg":
		return s.foreground(ctx, hc, args)
	case "umask":
		err = umask(hc.Stdout, args)
	case "trap":
		err = s.trap(args[0], args[1:])
	}
	if err != nil {
		tell(hc.Stderr, "sh: %v\n", err)
		return interp.ExitStatus(1)
	}
	return nil
}

// startJob starts planned statement n in the background and sets $! to the pid of
// its first external command.
func (s *shell) startJob(ctx context.Context, hc interp.HandlerContext, n string) error {
	number, err := strconv.Atoi(n)
	if err != nil {
		return err
	}
	stmt := s.planned[number]
	j := &job{
		number: len(s.jobs) + 1, text: source(stmt), known: make(chan struct{}),
		busy: make(chan struct{}), done: make(chan struct{}),
	}
	sub := s.runner.Subshell()
	// A background job does not compete for the terminal or the script.
	if null, err := os.Open(os.DevNull); err == nil {
		_ = interp.StdIO(null, hc.Stdout, hc.Stderr)(sub) // Cannot fail with a file.
	}
	go func() {
		// The job outlives the line that started it, so Ctrl-C does not end it.
		jctx := context.WithValue(context.WithoutCancel(ctx), jobKey{}, j)
		if code, ok := errors.AsType[interp.ExitStatus](sub.Run(jctx, stmt)); ok {
			j.status = int(code)
		}
		close(j.done)
	}()
	s.jobs = append(s.jobs, j)

	j.begins()
	pid := ""
	if n := j.pid.Load(); n > 0 {
		pid = strconv.FormatInt(n, 10)
	}
	if s.interactive {
		tell(hc.Stderr, "[%d] %s\n", j.number, pid)
	}
	return hc.Builtin(ctx, []string{"eval", lastJob + "=" + pid})
}

// begins waits for the job's pid, however long the machine takes to start a program.
// A job that starts none, such as a loop of builtins, is given a moment.
func (j *job) begins() {
	select {
	case <-j.known:
	case <-j.done:
	case <-j.busy:
		select {
		case <-j.known:
		case <-j.done:
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// jobPIDs replaces %1 by the pid of job 1.
func (s *shell) jobPIDs(args []string) []string {
	args = slices.Clone(args)
	for i, arg := range args {
		if j := s.job(arg); j != nil && strings.HasPrefix(arg, "%") && j.pid.Load() > 0 {
			args[i] = strconv.FormatInt(j.pid.Load(), 10)
		}
	}
	return args
}

// job finds a job by %number or pid.
func (s *shell) job(name string) *job {
	number, isNumber := strings.CutPrefix(name, "%")
	n, err := strconv.Atoi(number)
	if err != nil {
		return nil
	}
	for _, j := range s.jobs {
		if isNumber && j.number == n || !isNumber && j.pid.Load() == int64(n) {
			return j
		}
	}
	return nil
}

// waitJobs is `wait [PID|%JOB…]`. A trapped signal ends it with 128+n.
func (s *shell) waitJobs(ctx context.Context, hc interp.HandlerContext, args []string) error {
	if len(args) == 0 {
		for _, j := range s.jobs {
			if err := s.await(ctx, hc, j); err != nil {
				return err
			}
		}
		s.jobs = nil
		return hc.Builtin(ctx, []string{"wait"})
	}
	code := 0
	for _, arg := range args {
		j := s.job(arg)
		if j == nil {
			return hc.Builtin(ctx, append([]string{"wait"}, args...))
		}
		if err := s.await(ctx, hc, j); err != nil {
			return err
		}
		code = j.status
	}
	if code != 0 {
		return interp.ExitStatus(code)
	}
	return nil
}

// await waits for a job, a trapped signal or Ctrl-C, whichever comes first.
func (s *shell) await(ctx context.Context, hc interp.HandlerContext, j *job) error {
	select {
	case <-j.done:
		return nil
	case <-ctx.Done():
		return interp.ExitStatus(130)
	case sig := <-s.caught:
		s.caught <- sig
		if err := s.runTraps(ctx, hc); err != nil {
			return err
		}
		return interp.ExitStatus(128 + int(sig.(syscall.Signal)))
	}
}

// foreground is `fg [%JOB]`: it waits for the last or the named job.
func (s *shell) foreground(ctx context.Context, hc interp.HandlerContext, args []string) error {
	for _, j := range slices.Backward(s.jobs) {
		if len(args) > 0 && s.job(args[0]) != j {
			continue
		}
		tell(hc.Stdout, "%s\n", j.text)
		if err := s.await(ctx, hc, j); err != nil {
			return err
		}
		if j.status != 0 {
			return interp.ExitStatus(j.status)
		}
		return nil
	}
	tell(hc.Stderr, "sh: fg: no such job\n")
	return interp.ExitStatus(1)
}

// listJobs prints the jobs and forgets those that are done.
func (s *shell) listJobs(out io.Writer) {
	running := s.jobs[:0]
	for _, j := range s.jobs {
		select {
		case <-j.done:
			tell(out, "[%d] done     %s\n", j.number, j.text)
		default:
			tell(out, "[%d] running  %s\n", j.number, j.text)
			running = append(running, j)
		}
	}
	s.jobs = running
}

// umask prints or sets the file mode creation mask.
func umask(out io.Writer, args []string) error {
	if len(args) == 0 {
		mask := syscall.Umask(0)
		syscall.Umask(mask)
		tell(out, "%04o\n", mask)
		return nil
	}
	mask, err := strconv.ParseUint(args[0], 8, 12)
	if err != nil {
		return fmt.Errorf("umask: %q is not an octal mode", args[0])
	}
	syscall.Umask(int(mask))
	return nil
}
