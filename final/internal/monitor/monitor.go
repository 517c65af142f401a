//go:build linux

// Package monitor is the parent that each running container keeps, for there is no
// daemon. It has the runtime make the container, and then
//
//   - is its processes' subreaper, so that it learns how they end: prctl(2);
//   - writes what the container says into its log, each line with its time;
//   - passes its terminal or its three files to those who attach themselves;
//   - writes to disk that it runs, and with which exit status it ended;
//   - finds out again and again whether it works, where there is a check for that;
//   - starts it again where the restart policy says so.
//
// It lives in a mount namespace of its own, in which the container's overlay is mounted:
// the host does not see it, and it is gone with the monitor. It is found again by its
// process number and start time (State.Monitor) and listens on a socket, to which Dial
// connects. It opens nothing but what it is told to and knows of no image, network or
// volume: that is for those whose functions are in Orders.
package monitor

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"lab/final/internal/cgroup"
)

// Orders are what a monitor is told of its container.
type Orders struct {
	ID         string
	Dir        string   // of the sockets and of what the runtime writes; gone at a reboot
	Bundle     string   // with config.json
	Runtime    []string // the runtime and its flags before the verb
	Log        string   // file of what the container says
	Owner      int      // whom the container's root stands for on the host
	Terminal   bool
	OpenStdin  bool // keep the container's input open, for those who attach themselves
	Restart    Restart
	StopSignal unix.Signal
	State      State  // what is known at the beginning
	Tied       bool   // it ends with the first client, and is finished when that has gone
	Check      *Check // how it is found out whether it works; may be nil

	// Prepare makes ready what the container needs, before each start.
	Prepare func() error
	// Connect is called when the first process is there and waits to be let go.
	Connect func(pid int) error
	// Process describes a process to start in the container as the runtime takes it.
	Process func(asked []byte) ([]byte, error)
	// Save writes the state to disk.
	Save func(State) error
	// Tell is told what happens, in docker's words: "start", "die", "oom" and so on.
	Tell func(action string, more map[string]string)
	// Release gives back what Prepare and Connect have taken, after each end.
	Release func() error
	// Finish cleans up after the last end.
	Finish func(State) error
}

// Monitor is one at work.
type Monitor struct {
	o        Orders
	children *reaper
	first    *client // who has asked for the start, until it is told of it
	listener *net.UnixListener

	mu      sync.Mutex // guards all that follows
	state   State
	clients map[*client]bool
	input   *os.File // the writing end of the container's input, or its terminal
	cgroup  *cgroup.Cgroup
	console *os.File      // the container's terminal
	final   bool          // it was asked to end, and is not started again
	asked   bool          // by stop, which is more patient than kill
	process *os.File      // pidfd of the container's first process
	stopped chan struct{} // closed when final becomes true
	gone    chan struct{} // closed when the container that runs has ended
}

// client is who has attached themselves.
type client struct {
	conn    *Conn
	streams bool // they want what the container says
}

// Run starts the container, stays with it until its last end, and returns. The first
// client is told how the start went; if it attaches itself it gets all that is said.
func Run(o Orders, first *Conn, attach bool) error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become the subreaper: %w", err)
	}
	m := &Monitor{
		o: o, state: o.State, clients: map[*client]bool{}, children: newReaper(),
		stopped: make(chan struct{}),
	}
	listener, err := listen(o.Dir)
	if err != nil {
		return refuse(first, err)
	}
	defer listener.Close()
	m.listener = listener
	log, err := OpenLog(o.Log)
	if err != nil {
		return refuse(first, err)
	}
	defer log.Close()
	c := &client{conn: first, streams: attach}
	m.first = c
	pid, said, err := m.launch(log)
	if err != nil {
		m.fail(err)
		return refuse(first, errors.Join(err, o.Release()))
	}
	gone := make(chan struct{})
	if attach {
		go m.serveFirst(c, gone)
	} else {
		_ = first.Close() // it has been told all
	}
	go m.accept()
	time.AfterFunc(time.Second, shrink) // what the start took is given back when it is over
	m.stay(pid, said, log)
	if o.Tied {
		_ = first.Send(Exited, marshal(m.state)) // it may have gone
		<-gone
	}
	return m.finish()
}

// serveFirst serves the first client until it goes, and then ends a container that is tied
// to it.
func (m *Monitor) serveFirst(c *client, gone chan<- struct{}) {
	defer close(gone)
	m.serve(c)
	if m.o.Tied {
		m.end()
		_ = m.signal(unix.SIGKILL) // it may have ended already
		_ = m.pause(false)         // what is frozen does not see a signal
	}
}

// greet tells the first client that the container runs, before it is passed on what that
// says.
func (m *Monitor) greet(pid int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.first == nil {
		return // it is not the first start
	}
	_ = m.first.conn.Send(Started, marshal(pid)) // whoever asked may have gone
	if m.first.streams {
		m.clients[m.first] = true
	}
	m.first = nil
}

// refuse tells the first client why there is no container.
func refuse(first *Conn, err error) error {
	return errors.Join(err, first.SendError(err), first.Close())
}

// stay waits for the container's end, and starts it again as long as it shall be.
func (m *Monitor) stay(pid int, said *sync.WaitGroup, log *Log) {
	delay := firstDelay
	for {
		began := time.Now()
		m.ended(exitCode(m.children.wait(pid)), said)
		if time.Since(began) > longRun {
			delay = firstDelay
		}
		for {
			if !m.restarts(delay) {
				return
			}
			delay = min(2*delay, lastDelay)
			var err error
			if pid, said, err = m.launch(log); err == nil {
				break
			}
			m.fail(errors.Join(err, m.o.Release()))
		}
	}
}

// finish cleans up and tells the last clients how it ended.
func (m *Monitor) finish() error {
	err := m.o.Finish(m.state)
	m.mu.Lock()
	clients := m.clients
	m.clients = nil
	m.mu.Unlock()
	for c := range clients {
		_ = c.conn.Send(Exited, marshal(m.state)) // whoever waits may have gone
		_ = c.conn.Close()                        // it was the last word
	}
	return err
}

// broadcast passes on what the container says to all who want it.
func (m *Monitor) broadcast(kind Kind, data []byte) {
	m.mu.Lock()
	var to []*client
	for c := range m.clients {
		if c.streams {
			to = append(to, c)
		}
	}
	m.mu.Unlock()
	for _, c := range to {
		if c.conn.Send(kind, data) != nil {
			m.leave(c)
		}
	}
}

// leave forgets a client.
func (m *Monitor) leave(c *client) {
	m.mu.Lock()
	delete(m.clients, c)
	m.mu.Unlock()
	_ = c.conn.Close() // it is gone
}

// pump passes on one stream of the container until its end: into the log and to the
// clients.
func (m *Monitor) pump(from io.Reader, kind Kind, log *Log) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			log.Write(kind, buffer[:n])
			m.broadcast(kind, buffer[:n])
		}
		if err != nil {
			log.End(kind)
			return // EOF, or EIO of a terminal that nobody has open any longer
		}
	}
}
