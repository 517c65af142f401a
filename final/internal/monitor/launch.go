//go:build linux

package monitor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"lab/final/internal/cgroup"
)

// streams are what the container has as its files 0, 1 and 2, and our ends of them.
type streams struct {
	theirs [3]*os.File
	input  *os.File    // nil if nobody can write to it
	output [2]*os.File // of a terminal there is none
}

// launch has the runtime start the container. When it has, what the container says is
// read, until the group is done.
func (m *Monitor) launch(log *Log) (pid int, said *sync.WaitGroup, err error) {
	if err := m.o.Prepare(); err != nil {
		return 0, nil, err
	}
	s, err := m.open()
	if err != nil {
		return 0, nil, err
	}
	pid, console, err := m.make(s.theirs[:])
	for _, file := range s.theirs {
		_ = file.Close() // the container has its own
	}
	if err != nil {
		return 0, nil, errors.Join(err, s.close())
	}
	if err := m.running(pid, s, console); err != nil {
		return 0, nil, errors.Join(err, m.callRuntime("delete", "--force", m.o.ID))
	}
	m.greet(pid)
	said = &sync.WaitGroup{}
	if console != nil {
		said.Go(func() { m.pump(console, Output, log) })
	} else {
		said.Go(func() { m.pump(s.output[0], Output, log) })
		said.Go(func() { m.pump(s.output[1], Errors, log) })
	}
	return pid, said, nil
}

// make has the runtime create the container, connects it with its networks while its
// command waits, and lets that go. After an error there is no container.
func (m *Monitor) make(files []*os.File) (pid int, console *os.File, err error) {
	pid, console, err = m.runtimeStarts(files, m.o.Terminal, "create", "--bundle", m.o.Bundle)
	if err != nil {
		// Some runtimes leave something when they fail.
		_ = m.callRuntime("delete", "--force", m.o.ID)
		return 0, nil, err
	}
	if err = m.meet(pid); err == nil {
		err = m.o.Connect(pid)
	}
	if err == nil {
		err = m.callRuntime("start", m.o.ID)
	}
	if err != nil {
		if console != nil {
			_ = console.Close() // nothing was said there
		}
		return 0, nil, errors.Join(err, m.callRuntime("delete", "--force", m.o.ID))
	}
	return pid, console, nil
}

// meet takes hold of the container's first process, which cannot end before it is let go
// but by force.
func (m *Monitor) meet(pid int) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return fmt.Errorf("pidfd_open %d: %w", pid, err)
	}
	// Where it cannot be told that memory ran out, nothing is told of it.
	m.cgroup, _ = cgroup.Of(pid)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.process = os.NewFile(uintptr(fd), "pidfd")
	return nil
}

// open makes the container's three files.
func (m *Monitor) open() (s streams, err error) {
	if s.theirs[0], err = os.OpenFile(os.DevNull, os.O_RDWR, 0); err != nil {
		return s, err
	}
	if m.o.Terminal {
		s.theirs[1], s.theirs[2] = s.theirs[0], s.theirs[0]
		return s, nil
	}
	if m.o.OpenStdin {
		_ = s.theirs[0].Close() // it was only opened
		if s.theirs[0], s.input, err = os.Pipe(); err != nil {
			return s, err
		}
	}
	for i := range s.output {
		if s.output[i], s.theirs[i+1], err = os.Pipe(); err != nil {
			return s, errors.Join(err, s.close())
		}
	}
	return s, nil
}

// close closes our ends.
func (s *streams) close() error {
	var errs []error
	for _, file := range append(s.output[:], s.input) {
		if file != nil {
			errs = append(errs, file.Close())
		}
	}
	return errors.Join(errs...)
}

// running notes that the container runs, here and on disk.
func (m *Monitor) running(pid int, s streams, console *os.File) error {
	self, err := Self()
	if err != nil {
		return err
	}
	m.mu.Lock()
	m.input, m.console = s.input, console
	if console != nil {
		m.input = console
	}
	m.state = State{
		Status: Running, Running: true, Pid: pid, StartedAt: time.Now().UTC(),
		RestartCount: m.state.RestartCount, Monitor: self,
	}
	m.gone = make(chan struct{})
	if m.o.Check != nil {
		m.state.Health = &Health{Status: Starting}
		go m.watch(m.gone)
	}
	err = m.o.Save(m.state)
	final := m.final
	m.mu.Unlock()
	m.o.Tell("start", nil)
	if final {
		_ = m.signal(unix.SIGKILL) // whoever asked for the end found no process yet
	}
	return err
}

// ended notes that the container has ended and removes what the runtime had of it. Other
// processes of its cgroup, which there are if it shares a pid namespace, end with it.
func (m *Monitor) ended(code int, said *sync.WaitGroup) {
	oom := m.ranOut()
	deleted := m.callRuntime("delete", "--force", m.o.ID)
	said.Wait()
	deleted = errors.Join(deleted, m.o.Release())
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, file := range []*os.File{m.process, m.input, m.console} {
		if file != nil {
			_ = file.Close() // terminal and input may be one
		}
	}
	m.process, m.input, m.console = nil, nil, nil
	m.endChecks()
	m.state.Status, m.state.Running, m.state.Paused, m.state.Pid = Gone, false, false, 0
	m.state.ExitCode, m.state.OOMKilled, m.state.FinishedAt = code, oom, time.Now().UTC()
	if deleted != nil {
		m.state.Error = deleted.Error()
	}
	if err := m.o.Save(m.state); err != nil && m.state.Error == "" {
		m.state.Error = err.Error()
	}
	if oom {
		m.o.Tell("oom", nil)
	}
	m.o.Tell("die", map[string]string{"exitCode": strconv.Itoa(code)})
	if m.asked {
		m.o.Tell("stop", nil)
	}
}

// ranOut asks the kernel whether it has killed for want of memory.
func (m *Monitor) ranOut() bool {
	if m.cgroup == nil {
		return false
	}
	kills, err := m.cgroup.OOMKills()
	return err == nil && kills > 0
}

// fail notes that the container could not be started.
func (m *Monitor) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state.Status, m.state.Running, m.state.Pid = Gone, false, 0
	if m.state.StartedAt.IsZero() {
		m.state.Status = Created
	}
	if m.process != nil {
		_ = m.process.Close() // it has ended
		m.process = nil
	}
	m.endChecks()
	m.state.ExitCode, m.state.Error = statusOf(err), err.Error()
	_ = m.o.Save(m.state) // the first error is told
}

// restarts waits before the container is started again, and tells whether it shall be.
func (m *Monitor) restarts(delay time.Duration) bool {
	m.mu.Lock()
	if m.final || !m.o.Restart.again(m.state.ExitCode, m.state.RestartCount) {
		m.mu.Unlock()
		return false
	}
	m.state.Status, m.state.Restarting = Restarting, true
	m.state.RestartCount++
	_ = m.o.Save(m.state) // it is saved again as soon as it runs
	m.mu.Unlock()
	select {
	case <-m.stopped:
		m.mu.Lock()
		m.state.Status, m.state.Restarting = Gone, false
		_ = m.o.Save(m.state) // it has ended all the same
		m.mu.Unlock()
		return false
	case <-time.After(delay):
		return true
	}
}

// runtimeStarts has the runtime start a process, the container's first or another, with
// three files or at a terminal, and returns its number and the terminal.
func (m *Monitor) runtimeStarts(files []*os.File, terminal bool, words ...string,
) (pid int, console *os.File, err error) {
	dir, err := os.MkdirTemp(m.o.Dir, "s")
	if err != nil {
		return 0, nil, err
	}
	defer os.RemoveAll(dir)
	pidFile, socket := filepath.Join(dir, "pid"), filepath.Join(dir, "t")
	words = append(words, "--pid-file", pidFile)
	var listener *net.UnixListener
	if terminal {
		listener, err = net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: socket})
		if err != nil {
			return 0, nil, fmt.Errorf("listen for the terminal: %w", err)
		}
		defer listener.Close()
		words = append(words, "--console-socket", socket)
	}
	if err := m.call(files, append(words, m.o.ID)...); err != nil {
		return 0, nil, err
	}
	text, err := os.ReadFile(pidFile)
	if err != nil {
		return 0, nil, err
	}
	if pid, err = strconv.Atoi(strings.TrimSpace(string(text))); err != nil || pid <= 1 {
		return 0, nil, fmt.Errorf("the runtime wrote %q as a process's number", text)
	}
	if terminal {
		console, err = receiveTerminal(listener)
	}
	return pid, console, err
}

// receiveTerminal takes the terminal that the runtime has sent: it did before it ended.
func receiveTerminal(listener *net.UnixListener) (*os.File, error) {
	if err := listener.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return nil, err
	}
	conn, err := listener.AcceptUnix()
	if err != nil {
		return nil, fmt.Errorf("receive the terminal: %w", err)
	}
	defer conn.Close()
	name, rights := make([]byte, unix.PathMax), make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := conn.ReadMsgUnix(name, rights)
	if err != nil {
		return nil, fmt.Errorf("receive the terminal: %w", err)
	}
	files, err := received(rights[:n])
	if err != nil || len(files) != 1 {
		return nil, errors.Join(errors.New("there is no terminal in the runtime's message"), err)
	}
	// A terminal that does not block is one that another goroutine can close.
	if err := unix.SetNonblock(int(files[0].Fd()), true); err != nil {
		return nil, err
	}
	fd, err := unix.Dup(int(files[0].Fd()))
	if err != nil {
		return nil, err
	}
	unix.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), "terminal"), files[0].Close()
}

// callRuntime has the runtime do something that starts no process.
func (m *Monitor) callRuntime(words ...string) error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	return m.call([]*os.File{null, null, null}, words...)
}

// call runs the runtime and waits for its end. Why it failed it has written into its log,
// for its streams may be the container's.
func (m *Monitor) call(files []*os.File, words ...string) error {
	log, err := os.CreateTemp(m.o.Dir, "runtime-*.log")
	if err != nil {
		return err
	}
	defer os.Remove(log.Name())
	defer log.Close()
	args := append([]string{}, m.o.Runtime...)
	args = append(args, "--log", log.Name(), "--log-format", "json")
	process, err := os.StartProcess(args[0], append(args, words...), &os.ProcAttr{
		Dir: m.o.Bundle, Env: os.Environ(), Files: files,
		// A runtime that outlived us would make a container that nobody looks after.
		Sys: &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL},
	})
	if err != nil {
		return fmt.Errorf("execute the runtime: %w", err)
	}
	pid := process.Pid
	if err := process.Release(); err != nil {
		return err
	}
	status := m.children.wait(pid)
	if status.Exited() && status.ExitStatus() == 0 {
		return nil
	}
	said, err := os.ReadFile(log.Name())
	if err != nil {
		return err
	}
	text := lastError(said)
	if text == "" {
		text = fmt.Sprintf("%s %s ended with status %d and said nothing", args[0], words[0],
			exitCode(status))
	}
	return &Failure{Text: text, Status: commandStatus(text)}
}

// lastError finds the last error in a runtime's log:
//
//	{"level":"error","msg":"exec: \"web\": executable file not found in $PATH","time":"…"}
func lastError(log []byte) string {
	last := ""
	for line := range bytes.Lines(log) {
		var entry struct{ Level, Msg string }
		if json.Unmarshal(line, &entry) == nil && entry.Msg != "" && entry.Level == "error" {
			last = entry.Msg
		}
	}
	return last
}

// commandStatus is the exit status for a command that could not be executed: 127 where
// there is none, 126 where it may not be, else 125. Runtimes tell it in words.
func commandStatus(text string) int {
	lower := strings.ToLower(text)
	switch {
	case strings.Contains(lower, "executable file") && strings.Contains(lower, "not found"),
		strings.Contains(lower, "exec") && strings.Contains(lower, "no such file or directory"):
		return 127
	case strings.Contains(lower, "exec") && (strings.Contains(lower, "permission denied") ||
		strings.Contains(lower, "operation not permitted") ||
		strings.Contains(lower, "is a directory") || strings.Contains(lower, "exec format error")):
		return 126
	}
	return 125
}

// statusOf is the exit status that belongs to an error.
func statusOf(err error) int {
	if failure, ok := errors.AsType[*Failure](err); ok && failure.Status != 0 {
		return failure.Status
	}
	return 125
}
