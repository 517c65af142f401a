package oom

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"lab/internal/journal"
)

// life is that of one allocator.
type life struct {
	*show
	phase *Phase
	group group // whose usage is told
	home  group // in which the allocator is born
	total int64 // how much it takes at most

	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Reader
	began time.Time
	taken int64
}

// live starts the allocator, has it take step by step, and waits for its end.
func (l *life) live(ctx context.Context, kills *event) (err error) {
	if err := l.start(); err != nil {
		return err
	}
	defer func() {
		// Harmless for one that has ended.
		_ = l.cmd.Process.Kill()
		_ = l.cmd.Wait() // its status was taken before, if it counts
	}()
	killed := make(chan time.Time, 1)
	if kills != nil {
		go func() {
			if when, ok := kills.wait(); ok {
				killed <- when
			}
		}()
	}
	if err := l.grow(ctx); err != nil {
		return err
	}
	if err := l.wait(ctx); err != nil {
		return err
	}
	p := l.phase
	p.Peak = l.group.peak()
	if kills == nil || l.group.kills() == 0 {
		return nil
	}
	p.Kill = &Kill{Event: kills.source, OOMKills: l.group.kills(), Hits: l.group.hits()}
	select {
	case when := <-killed:
		p.Kill.Milliseconds = since(l.began, when)
		return nil
	case <-time.After(10 * time.Second):
		return fmt.Errorf("the kernel counts %d OOM kills and sent no event: %s",
			p.Kill.OOMKills, kills.source)
	}
}

// start clones the allocator into its cgroup: version 2 does it at birth, with
// CLONE_INTO_CGROUP; in version 1 it joins by itself.
func (l *life) start() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	l.cmd = exec.Command(self)
	l.cmd.Args = []string{allocatorName, strconv.FormatInt(l.total+l.Step, 10)}
	// One thread of Go's has less of its own; the mark is for lab clean.
	l.cmd.Env = []string{"GOMAXPROCS=1", "GOGC=off", "LAB_RUN=" + l.run.ID}
	l.cmd.Stderr = os.Stderr
	l.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL, Setpgid: true}
	way, err := l.wayIn()
	if err != nil {
		return err
	}
	defer way.Close()
	if l.in, err = l.cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := l.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	l.out = bufio.NewReader(out)
	if err := l.cmd.Start(); err != nil {
		return fmt.Errorf("start the allocator: %w", err)
	}
	_ = l.run.Note(journal.RoleAllocator, l.cmd.Process.Pid) // it may have ended already
	if _, err := l.answer(); err != nil {
		return errors.Join(fmt.Errorf("start the allocator: %w", err), l.cmd.Wait())
	}
	l.began = time.Now()
	l.phase.Base = l.group.usage()
	l.watch.Begins(*l.phase)
	return nil
}

// wayIn opens what the allocator joins its cgroup by.
func (l *life) wayIn() (*os.File, error) {
	if l.home.version == 2 {
		dir, err := os.Open(l.home.dir)
		if err != nil {
			return nil, err
		}
		l.cmd.SysProcAttr.UseCgroupFD = true
		l.cmd.SysProcAttr.CgroupFD = int(dir.Fd())
		return dir, nil
	}
	tasks, err := os.OpenFile(l.home.dir+"/tasks", os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	l.cmd.ExtraFiles = []*os.File{tasks}
	l.cmd.Args = append(l.cmd.Args, "3")
	return tasks, nil
}

// errGone means that the allocator does not answer any more.
var errGone = errors.New("it has ended")

// answer reads a line of the allocator's: "ready", or how much it holds.
func (l *life) answer() (string, error) {
	line, err := l.out.ReadString('\n')
	if err != nil {
		return "", errGone
	}
	return strings.TrimSpace(line), nil
}

// grow has the allocator take one step after the other until it is gone, or
// has what it should.
func (l *life) grow(ctx context.Context) error {
	attachAt := int64(-1)
	if l.home != l.group {
		attachAt = l.Limit / 3 / l.Step * l.Step
	}
	pause := time.NewTicker(max(l.Every, time.Microsecond))
	defer pause.Stop()
	for l.taken < l.total {
		if l.taken == attachAt {
			if err := l.attach(); err != nil {
				return err
			}
		}
		err := l.step()
		if errors.Is(err, errGone) {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-pause.C:
		}
	}
	return nil
}

// attach puts the allocator into the cgroup, late.
func (l *life) attach() error {
	if err := l.group.attach(l.cmd.Process.Pid); err != nil {
		return err
	}
	l.phase.Attached = len(l.phase.Samples)
	l.watch.Attaches(*l.phase, l.cmd.Process.Pid)
	return nil
}

// step has the allocator take one step and reads what the kernel counts then.
func (l *life) step() error {
	step := min(l.Step, l.total-l.taken)
	_, err := fmt.Fprintln(l.in, step)
	if errors.Is(err, unix.EPIPE) {
		return errGone
	}
	if err != nil {
		return err
	}
	held, err := l.answer()
	if err != nil {
		return err
	}
	if l.taken, err = strconv.ParseInt(held, 10, 64); err != nil {
		return fmt.Errorf("the allocator said %q: %w", held, err)
	}
	s := Sample{
		Milliseconds: since(l.began, time.Now()), Taken: l.taken,
		Usage: l.group.usage(), Hits: l.group.hits(), Swap: l.group.swap(),
		PSS: proportional(l.cmd.Process.Pid),
	}
	if l.home != l.group {
		s.Old = l.home.usage()
	}
	l.phase.Samples = append(l.phase.Samples, s)
	l.watch.Took(*l.phase, s)
	return nil
}

// wait lets the allocator end, if it lives, and takes its status.
func (l *life) wait(ctx context.Context) error {
	_ = l.in.Close() // broken already if the allocator is gone
	stop := context.AfterFunc(ctx, func() { _ = l.cmd.Process.Kill() })
	defer stop()
	err := l.cmd.Wait()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		return fmt.Errorf("wait for the allocator: %w", err)
	}
	status := l.cmd.ProcessState.Sys().(syscall.WaitStatus)
	l.phase.Status = status.ExitStatus()
	if status.Signaled() {
		l.phase.Status = 128 + int(status.Signal())
	}
	return ctx.Err()
}

// proportional reads the proportional set size of a process: its own pages,
// and its share of those that others map as well.
//
//	Pss:                2884 kB
func proportional(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0 // not readable, or gone
	}
	return kilobytes(text, "Pss:")
}

// kilobytes reads the line of a key, "Key: NUMBER kB", as bytes.
func kilobytes(text []byte, key string) int64 {
	for line := range bytes.Lines(text) {
		words := strings.Fields(string(line))
		if len(words) == 3 && words[0] == key {
			number, _ := strconv.ParseInt(words[1], 10, 64) // the kernel's own
			return number << 10
		}
	}
	return 0
}
