//go:build linux

package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"lab/final/internal/monitor"
)

// Start starts a container and returns when its command runs. With attach the connection
// is that of the first client, who gets all that the container says.
func (e *Engine) Start(c *Container, attach bool) (*monitor.Conn, error) {
	lock, err := e.lock(c.ID)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	if c, err = e.loadLocked(c.ID); err != nil {
		return nil, err
	}
	if c.isUp() {
		return nil, ErrRunning
	}
	var conn *monitor.Conn
	if err = e.warnOfNetwork(c); err == nil {
		conn, err = e.spawn(c, lock, attach)
	}
	if err == nil {
		err = awaitStart(conn)
		if !attach || err != nil {
			err = errors.Join(err, conn.Close())
		}
	}
	if err != nil {
		err = errors.Join(err, e.afterFailure(c))
	}
	return conn, err
}

// afterFailure removes what is left of a start that went wrong, and a container that was
// to be removed after its end.
func (e *Engine) afterFailure(c *Container) error {
	if c.HostConfig.AutoRemove {
		return e.erase(c)
	}
	return e.sweep(c)
}

// awaitStart waits until the monitor says how the start went.
func awaitStart(conn *monitor.Conn) error {
	kind, _, _, err := conn.Receive()
	switch {
	case errors.Is(err, io.EOF):
		return errors.New("the monitor ended before the container was started")
	case err != nil:
		return err
	case kind != monitor.Started:
		return fmt.Errorf("the monitor said %q", kind)
	}
	return nil
}

// spawn starts the monitor: this program, in a session and a mount namespace of its own.
// It shares the container's lock with us.
func (e *Engine) spawn(c *Container, lock *os.File, attach bool) (*monitor.Conn, error) {
	if err := e.makeStateDir(c); err != nil {
		return nil, err
	}
	ours, theirs, err := monitor.Pair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	said, err := os.OpenFile(filepath.Join(e.stateDir(c.ID), "monitor.log"),
		os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer said.Close()
	args := []string{MonitorName, e.Root, e.State, c.ID}
	if attach {
		args = append(args, "attach")
	}
	process, err := os.StartProcess("/proc/self/exe", args, &os.ProcAttr{
		Dir: "/", Env: smallEnv(), Files: []*os.File{null, null, said, theirs, lock},
		Sys: &syscall.SysProcAttr{Setsid: true, Cloneflags: unix.CLONE_NEWNS},
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the monitor: %w", err), ours.Close())
	}
	return ours, process.Release()
}

// smallEnv is our environment, with a word to Go's runtime first: no huge pages. A page of
// 2 MiB for the heap is most of what a monitor needs, where the kernel gives such to all.
//
//	/sys/kernel/mm/transparent_hugepage/enabled:  [always] madvise never
func smallEnv() []string {
	return append([]string{"GODEBUG=disablethp=1," + os.Getenv("GODEBUG")}, os.Environ()...)
}

// makeStateDir makes the directory of a running container. The sockets in it have
// addresses, which are short.
func (e *Engine) makeStateDir(c *Container) error {
	dir := e.stateDir(c.ID)
	if err := e.sweep(c); err != nil {
		return err
	}
	const longest = 107 - len("/s0123456789/t")
	if len(dir) > longest {
		return fmt.Errorf("--state %s: the path of a socket below it would be longer than the "+
			"kernel takes, by %d letters", e.State, len(dir)-longest)
	}
	mode := os.FileMode(0o700)
	if c.FirstID != 0 {
		mode = 0o711 // some runtimes go to the root through it as the container's root
	}
	return os.MkdirAll(dir, mode)
}

// Ask asks the monitor of a running container for something and waits until it is done.
func (e *Engine) ask(c *Container, r monitor.Request) error {
	conn, err := e.dial(c, r)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, _, _, err = conn.Receive()
	if errors.Is(err, io.EOF) {
		return ErrNotRunning
	}
	return err
}

// dial connects with the monitor of a running container.
func (e *Engine) dial(c *Container, r monitor.Request, files ...*os.File) (*monitor.Conn, error) {
	if !c.isUp() {
		return nil, ErrNotRunning
	}
	conn, err := monitor.Dial(e.stateDir(c.ID), r, files...)
	for _, gone := range []error{unix.ENOENT, unix.ECONNREFUSED, unix.ECONNRESET, unix.EPIPE} {
		if errors.Is(err, gone) {
			return nil, ErrNotRunning
		}
	}
	return conn, err
}

// await waits for the last word about a container.
func await(conn *monitor.Conn) (monitor.State, error) {
	for {
		kind, data, _, err := conn.Receive()
		if errors.Is(err, io.EOF) {
			return monitor.State{}, ErrNotRunning
		}
		if err != nil {
			return monitor.State{}, err
		}
		if kind == monitor.Exited {
			var s monitor.State
			return s, json.Unmarshal(data, &s)
		}
	}
}

// CommandStatus is the exit status that belongs to an error about a container's command:
// 127 where there is none, 126 where it may not be executed; 0 for other errors.
func CommandStatus(err error) int {
	if failure, ok := errors.AsType[*monitor.Failure](err); ok {
		return failure.Status
	}
	return 0
}
