//go:build linux

package engine

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"lab/final/internal/monitor"
)

// MonitorName is the first word of a monitor's command line.
const MonitorName = "mini-monitor"

// Supervise is what a monitor does: it makes ready what the container needs, starts it
// and stays until it has ended. It runs in a process of its own that Start has made, in
// a mount namespace of its own, and holds the container's lock until it is on record that
// the container runs.
func (e *Engine) Supervise(id string, socket, lock *os.File, attach bool) error {
	unix.CloseOnExec(int(lock.Fd()))
	first, err := monitor.NewConn(socket)
	if err != nil {
		return err
	}
	o, err := e.orders(id, lock)
	if err != nil {
		return errors.Join(err, first.SendError(err), first.Close())
	}
	return monitor.Run(o, first, attach)
}

// orders are what the monitor is told, once the root is mounted.
func (e *Engine) orders(id string, lock *os.File) (monitor.Orders, error) {
	c, err := e.read(id)
	if err != nil {
		return monitor.Orders{}, err
	}
	stop, err := stopSignal(c)
	if err != nil {
		return monitor.Orders{}, err
	}
	// What the host mounts and unmounts later is seen here, and nothing the other way.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return monitor.Orders{}, fmt.Errorf("make / a slave mount: %w", err)
	}
	if err := e.claimUpper(c); err != nil {
		return monitor.Orders{}, err
	}
	// It is made before there is a monitor, who waits for all children.
	users, err := c.userNamespace()
	if err != nil {
		return monitor.Orders{}, err
	}
	if users == nil { // else it is mounted anew for each start
		err = e.mountRoot(c, nil)
	}
	if err != nil {
		return monitor.Orders{}, err
	}
	return monitor.Orders{
		ID: id, Dir: e.stateDir(id), Bundle: e.bundle(id), Runtime: e.runtime(c),
		Owner: int(c.FirstID), Log: c.LogPath,
		Terminal: c.Config.Tty, OpenStdin: c.Config.OpenStdin,
		Restart: c.HostConfig.RestartPolicy, StopSignal: stop, State: c.State, Tied: c.Tied,
		Check:   healthCheck(c),
		Prepare: func() error { return e.prepare(id, users) },
		Connect: func(pid int) error { return e.connect(id, pid) },
		Release: func() error { return e.release(c) },
		Process: func(asked []byte) ([]byte, error) { return e.describeExec(c, asked) },
		Save: func(s monitor.State) error {
			err := writeJSON(e.statePath(id), s)
			_ = lock.Close() // from the second time on it is closed
			return err
		},
		Tell:   func(action string, more map[string]string) { e.tellNow(c, action, more) },
		Finish: func(monitor.State) error { return e.finish(c) },
	}, nil
}

// prepare makes ready what the runtime needs, before each start, as the record says now.
func (e *Engine) prepare(id string, users *os.File) error {
	c, err := e.read(id)
	if err != nil {
		return err
	}
	c.State.Status = monitor.Gone // the record says nothing of it, and it does not run
	if err := e.writeNames(c); err != nil {
		return err
	}
	if users == nil {
		return e.writeBundle(c, nil)
	}
	return e.withOwners(c, users)
}

// finish cleans up after the last end of a container, of which the runtime knows nothing
// any more. Without the directory of its run erase need not ask it, whose end the monitor
// waits for as it does for that of all its children, and not erase.
func (e *Engine) finish(c *Container) error {
	err := errors.Join(e.unmountRoot(c), e.removeWork(c), e.removeState(c.ID))
	if !c.HostConfig.AutoRemove {
		return err
	}
	lock, lockErr := e.lock(c.ID)
	if lockErr != nil {
		return errors.Join(err, lockErr)
	}
	defer lock.Close()
	return errors.Join(err, e.erase(c))
}
