//go:build linux

package monitor

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// ErrEnded means that the container has ended, maybe meanwhile.
var ErrEnded = errors.New("the container is not running")

// accept takes clients until the listener is closed.
func (m *Monitor) accept() {
	for {
		conn, err := m.listener.AcceptUnix()
		if err != nil {
			return
		}
		go m.answer(&Conn{conn})
	}
}

// answer does what a client asks for.
func (m *Monitor) answer(conn *Conn) {
	kind, data, files, err := conn.Receive()
	if err != nil || kind != Asking {
		_ = conn.Close() // nothing was asked
		return
	}
	var r Request
	err = json.Unmarshal(data, &r)
	if err == nil {
		err = m.do(conn, r, files)
	}
	for _, f := range files {
		_ = f.Close() // what was started has its own
	}
	if err != nil {
		_ = conn.SendError(err) // whoever asked may have gone
		_ = conn.Close()
	}
}

// do carries out a request. Without an error the connection is in other hands.
func (m *Monitor) do(conn *Conn, r Request, files []*os.File) error {
	switch r.Do {
	case "attach":
		return m.attach(&client{conn: conn, streams: r.Streams})
	case "stop":
		return m.stop(conn, unix.Signal(r.Signal), time.Duration(r.Seconds)*time.Second)
	case "exec":
		return m.exec(conn, r, files)
	}
	if err := m.quick(r); err != nil {
		return err
	}
	_ = conn.Send(Done, nil) // whoever asked may have gone
	return conn.Close()
}

// quick carries out what is done at once.
func (m *Monitor) quick(r Request) error {
	switch r.Do {
	case "signal":
		if unix.Signal(r.Signal) == unix.SIGKILL || unix.Signal(r.Signal) == m.o.StopSignal {
			m.end()
		}
		return m.signal(unix.Signal(r.Signal))
	case "pause":
		return m.pause(true)
	case "unpause":
		return m.pause(false)
	case "runtime":
		return m.callRuntime(r.Args...)
	case "policy":
		m.mu.Lock()
		defer m.mu.Unlock()
		m.o.Restart = r.Restart
		return nil
	}
	return fmt.Errorf("there is no request %q", r.Do)
}

// attach adds a client. It is told of the end, and until then gets what is said if it
// wants to.
func (m *Monitor) attach(c *client) error {
	m.mu.Lock()
	if m.clients == nil {
		m.mu.Unlock()
		return ErrEnded
	}
	m.clients[c] = true
	_ = c.conn.Send(Started, marshal(m.state.Pid)) // serve finds out if it has gone
	m.mu.Unlock()
	go m.serve(c)
	return nil
}

// serve does what an attached client types and wishes, until it goes.
func (m *Monitor) serve(c *client) {
	defer m.leave(c)
	for {
		kind, data, _, err := c.conn.Receive()
		if err != nil {
			return
		}
		m.mu.Lock()
		input, console := m.input, m.console
		m.mu.Unlock()
		switch kind {
		case Input:
			if input != nil {
				_, _ = input.Write(data) // the container may have closed it
			}
		case InputEnd:
			m.endInput()
		case Resize:
			resize(console, data)
		case Signal:
			var number int
			if json.Unmarshal(data, &number) == nil {
				_ = m.signal(unix.Signal(number)) // it may have ended meanwhile
			}
		default:
			// A client says nothing else.
		}
	}
}

// endInput closes the container's input, unless that is a terminal.
func (m *Monitor) endInput() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.input != nil && m.console == nil {
		_ = m.input.Close() // all that was written is in the pipe
		m.input = nil
	}
}

// resize gives a terminal another size.
func resize(terminal *os.File, data []byte) {
	var size Size
	if terminal == nil || json.Unmarshal(data, &size) != nil {
		return
	}
	// It is a wish: the terminal may have gone.
	_ = unix.IoctlSetWinsize(int(terminal.Fd()), unix.TIOCSWINSZ,
		&unix.Winsize{Row: size.Rows, Col: size.Cols})
}

// signal sends a signal to the container's first process.
func (m *Monitor) signal(s unix.Signal) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.process == nil {
		return ErrEnded
	}
	if err := unix.PidfdSendSignal(int(m.process.Fd()), s, nil, 0); err != nil {
		return fmt.Errorf("send signal %d: %w", s, err)
	}
	m.o.Tell("kill", map[string]string{"signal": strconv.Itoa(int(s))})
	return nil
}

// end makes sure that the container is not started again.
func (m *Monitor) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.final {
		m.final = true
		close(m.stopped)
	}
}

// stop asks the container to end, and kills it when it has not in time. The client is told
// of the end.
func (m *Monitor) stop(conn *Conn, s unix.Signal, patience time.Duration) error {
	m.end()
	c := &client{conn: conn}
	if err := m.attach(c); err != nil {
		return err
	}
	m.mu.Lock()
	paused, process := m.state.Paused, m.process
	m.asked = s != unix.SIGKILL
	m.mu.Unlock()
	if process == nil {
		return nil // it waits to be started again, and is not, or ends when it runs
	}
	_ = m.signal(s) // it may have ended meanwhile
	if paused {
		// What is frozen does not see a signal.
		if err := m.pause(false); err != nil {
			return err
		}
	}
	if patience >= 0 {
		time.AfterFunc(patience, func() {
			_ = m.signal(unix.SIGKILL) // it may have ended in time
		})
	}
	return nil
}

// pause has the runtime freeze the container, or thaw it.
func (m *Monitor) pause(freeze bool) error {
	m.mu.Lock()
	already, runs := m.state.Paused == freeze, m.process != nil
	m.mu.Unlock()
	word, undo, status, event := "resume", "pause", Running, "unpause"
	if freeze {
		word, undo, status, event = "pause", "resume", Paused, "pause"
	}
	switch {
	case !runs:
		return ErrEnded
	case already && freeze:
		return errors.New("it is paused already")
	case already:
		return errors.New("it is not paused")
	}
	if err := m.callRuntime(word, m.o.ID); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.process == nil {
		return ErrEnded
	}
	before := m.state
	m.state.Paused, m.state.Status = freeze, status
	if err := m.o.Save(m.state); err != nil {
		m.state = before // others know it as it was, so that is how it has to be
		return errors.Join(err, m.callRuntime(undo, m.o.ID))
	}
	m.o.Tell(event, nil)
	return nil
}

// exec has the runtime start another process in the container. Its client holds its three
// files or, at a terminal, gets the terminal; it is told of the start and of the end.
func (m *Monitor) exec(conn *Conn, r Request, files []*os.File) error {
	if r.Terminal {
		null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		defer null.Close()
		files = []*os.File{null, null, null}
	}
	if len(files) != 3 {
		return fmt.Errorf("exec with %d files", len(files))
	}
	described, err := m.describe(r.Process)
	if err != nil {
		return err
	}
	defer os.Remove(described)
	pid, console, err := m.runtimeStarts(files, r.Terminal, "exec", "--detach", "--process",
		described)
	if err != nil {
		return err
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("pidfd_open %d: %w", pid, err)
	}
	var process *os.File // nil if it has ended already
	if err == nil {
		process = os.NewFile(uintptr(fd), "pidfd")
	}
	if console != nil {
		_ = conn.Send(Started, marshal(pid), console) // the client may have gone
	} else {
		_ = conn.Send(Started, marshal(pid))
	}
	m.o.Tell("exec_start", nil)
	go passSignals(conn, process, console)
	go func() {
		code := exitCode(m.children.wait(pid))
		m.o.Tell("exec_die", map[string]string{"exitCode": strconv.Itoa(code)})
		defer shrink()
		_ = conn.Send(Exited, marshal(State{ExitCode: code})) // it may have gone
		_ = conn.Close()
		if console != nil {
			_ = console.Close() // nobody is at the other end
		}
	}()
	return nil
}

// describe writes a file with the process that exec is to start.
func (m *Monitor) describe(asked []byte) (path string, err error) {
	m.mu.Lock()
	runs, paused := m.process != nil, m.state.Paused
	m.mu.Unlock()
	if !runs || paused {
		return "", ErrEnded
	}
	text, err := m.o.Process(asked)
	if err != nil {
		return "", err
	}
	file, err := os.CreateTemp(m.o.Dir, "process-")
	if err != nil {
		return "", err
	}
	_, err = file.Write(text)
	return file.Name(), errors.Join(err, file.Close())
}

// passSignals sends the signals that an exec's client sends to its process. When the
// client has gone from a terminal, what the process writes there is read all the same.
func passSignals(conn *Conn, process, console *os.File) {
	if process != nil {
		defer process.Close()
	}
	for {
		kind, data, _, err := conn.Receive()
		if err != nil {
			break
		}
		var number int
		if kind == Signal && process != nil && json.Unmarshal(data, &number) == nil {
			// It may have ended meanwhile.
			_ = unix.PidfdSendSignal(int(process.Fd()), unix.Signal(number), nil, 0)
		}
	}
	if console != nil {
		_, _ = io.Copy(io.Discard, console) // until the process has closed it
	}
}
