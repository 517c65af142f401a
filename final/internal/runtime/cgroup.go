package runtime

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// signalAll sends a signal to every process of the container.
func (r *Runtime) signalAll(c *record, signal unix.Signal) error {
	if c.Cgroup == nil {
		// Without a cgroup, the end of PID 1 is the end of all in its namespace.
		return c.Init.signal(signal)
	}
	pids, err := c.Cgroup.Procs(true)
	if err != nil {
		return err
	}
	if len(pids) == 0 {
		return fmt.Errorf("container %q: %w", c.ID, ErrNotRunning)
	}
	var failed []error
	for _, pid := range pids {
		p, err := identify(pid)
		if err == nil {
			err = p.signal(signal)
		}
		if err != nil && !errors.Is(err, ErrNotRunning) && !errors.Is(err, unix.ENOENT) {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// sweep kills what is left in a container's cgroup, and removes that.
func (r *Runtime) sweep(c *record) error {
	if c.Cgroup == nil {
		return nil
	}
	deadline := time.Now().Add(patience)
	for {
		pids, err := c.Cgroup.Procs(true)
		if err != nil || len(pids) == 0 || time.Now().After(deadline) {
			break // what Remove says counts
		}
		if err := r.signalAll(c, unix.SIGKILL); err != nil && !errors.Is(err, ErrNotRunning) {
			return err
		}
		time.Sleep(time.Millisecond)
	}
	return c.Cgroup.Remove()
}

// frozen reports whether a container is paused.
func (r *Runtime) frozen(*record) bool { return false }
