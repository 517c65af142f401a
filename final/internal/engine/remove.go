//go:build linux

package engine

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"lab/final/internal/monitor"
)

// erase removes what is left of a container, in an order in which whoever is killed leaves
// something that can be removed again: the record last but for its directory.
func (e *Engine) erase(c *Container) error {
	if err := e.sweep(c); err != nil {
		return err
	}
	var name error
	if c.Name != "" {
		name = e.dropName(c.Name, c.ID)
	}
	record := os.Remove(e.recordPath(c.ID))
	if record == nil {
		e.tell(c, "destroy", nil)
	}
	if errors.Is(record, fs.ErrNotExist) {
		record = nil
	}
	return errors.Join(record, name, e.removeWork(c), os.RemoveAll(e.dir(c.ID)),
		e.releaseVolumes(c, c.HostConfig.AutoRemove))
}

// Remove removes a container. With force one that runs is killed first, as often as
// somebody else starts it meanwhile.
func (e *Engine) Remove(c *Container, force bool) error {
	for {
		if c.isUp() && force {
			// Who waits for the end must not hold the lock: the monitor may want it.
			_, err := e.Stop(c, unix.SIGKILL, -1)
			if err != nil && !errors.Is(err, ErrNotRunning) && !errors.Is(err, io.EOF) {
				return err
			}
		}
		now, err := e.removeEnded(c.ID)
		switch {
		case errors.Is(err, ErrNotFound) && force:
			return nil // it removed itself
		case !errors.Is(err, ErrRunning) || !force:
			return err
		}
		c = now
		time.Sleep(10 * time.Millisecond) // a monitor that was killed needs a moment to die
	}
}

// RemoveIfThere removes a container that may be about to remove itself.
func (e *Engine) RemoveIfThere(id string) error {
	c, err := e.load(id)
	if err == nil {
		err = e.Remove(c, true)
	}
	if errors.Is(err, ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// removeEnded removes a container that does not run.
func (e *Engine) removeEnded(id string) (*Container, error) {
	lock, err := e.lock(id)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	c, err := e.loadLocked(id)
	if err != nil {
		return nil, err
	}
	if c.isUp() {
		return c, ErrRunning
	}
	return c, e.erase(c)
}

// Prune removes the containers that do not run, and tells which.
func (e *Engine) Prune() (gone []*Container, err error) {
	all, err := e.List()
	for _, c := range all {
		if c.isUp() {
			continue
		}
		_, failed := e.removeEnded(c.ID)
		switch {
		case failed == nil:
			gone = append(gone, c)
		case !errors.Is(failed, ErrNotFound) && !errors.Is(failed, ErrRunning):
			err = errors.Join(err, fmt.Errorf("container %s: %w", short(c.ID), failed))
		}
	}
	return gone, err
}

// Rename gives a container another name.
func (e *Engine) Rename(c *Container, name string) error {
	return e.locked(c, func(c *Container) error {
		old := c.Name
		if name == old {
			return fmt.Errorf("name %q: %w: it is the one it has", name, ErrName)
		}
		if err := e.claimName(name, c.ID); err != nil {
			return err
		}
		c.Name = name
		if err := e.save(c); err != nil {
			return errors.Join(err, e.dropName(name, c.ID))
		}
		e.tell(c, "rename", map[string]string{"oldName": old})
		return errors.Join(e.dropName(old, c.ID), e.tellNeighbours(c))
	})
}

// Stop asks a container to end with a signal, kills it when it has not after a number of
// seconds, never if that is negative, and returns how it was in the end.
func (e *Engine) Stop(c *Container, signal unix.Signal, seconds int) (monitor.State, error) {
	return e.end(c, monitor.Request{Do: "stop", Signal: int(signal), Seconds: seconds})
}

// Wait waits for the end of a container. One that does not run has had it.
func (e *Engine) Wait(c *Container) (monitor.State, error) {
	state, err := e.end(c, monitor.Request{Do: "attach"})
	if errors.Is(err, ErrNotRunning) {
		if c, err = e.load(c.ID); err == nil {
			state = c.State
		}
	}
	return state, err
}

// end waits for the end of a container, having asked for something.
func (e *Engine) end(c *Container, r monitor.Request) (monitor.State, error) {
	conn, err := e.dial(c, r)
	if err != nil {
		return monitor.State{}, err
	}
	defer conn.Close()
	return await(conn)
}

// Kill sends a signal to a container's first process. One that ends it in any case is
// waited for.
func (e *Engine) Kill(c *Container, signal unix.Signal) error {
	if signal == unix.SIGKILL {
		_, err := e.Stop(c, signal, -1)
		return err
	}
	if c.State.Paused {
		return ErrPaused
	}
	return e.ask(c, monitor.Request{Do: "signal", Signal: int(signal)})
}

// Pause freezes a container.
func (e *Engine) Pause(c *Container) error { return e.ask(c, monitor.Request{Do: "pause"}) }

// Unpause thaws a container.
func (e *Engine) Unpause(c *Container) error { return e.ask(c, monitor.Request{Do: "unpause"}) }

// Attach connects with a running container, to see what it says and to type.
func (e *Engine) Attach(c *Container) (*monitor.Conn, error) {
	if c.State.Paused {
		return nil, ErrPaused
	}
	conn, err := e.dial(c, monitor.Request{Do: "attach", Streams: true})
	if err != nil {
		return nil, err
	}
	return conn, awaitStart(conn)
}

// StopDefaults are the signal and the seconds of a container that is stopped.
func (c *Container) StopDefaults() (unix.Signal, int, error) {
	const patience = 10
	seconds := patience
	if c.Config.StopTimeout != nil {
		seconds = *c.Config.StopTimeout
	}
	signal, err := stopSignal(c)
	return signal, seconds, err
}
