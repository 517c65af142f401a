//go:build linux

package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"lab/final/internal/monitor"
)

// erase removes what is left of a container, in an order in which whoever is killed leaves
// something that can be removed again: the record last but for its directory.
func (e *Engine) erase(c *Container) error {
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
	return errors.Join(
		os.RemoveAll(e.stateDir(c.ID)), record, name, os.RemoveAll(e.dir(c.ID)),
		e.releaseVolumes(c, c.HostConfig.AutoRemove),
	)
}

// Remove removes a container. With force one that runs is killed first.
func (e *Engine) Remove(c *Container, force bool) error {
	if c.isUp() && force {
		// Who waits for the end must not hold the lock: the monitor may want it.
		if _, err := e.Stop(c, unix.SIGKILL, -1); err != nil && !errors.Is(err, ErrNotRunning) {
			return err
		}
	}
	unlock, err := e.lock(c.ID)
	if errors.Is(err, ErrNotFound) && force {
		return nil // it removed itself
	}
	if err != nil {
		return err
	}
	defer unlock()
	if c, err = e.load(c.ID); err != nil {
		return err
	}
	if c.isUp() {
		return fmt.Errorf("%w (%s)", ErrRunning, c.State.Status)
	}
	return e.erase(c)
}

// Rename gives a container another name.
func (e *Engine) Rename(c *Container, name string) error {
	unlock, err := e.lock(c.ID)
	if err != nil {
		return err
	}
	defer unlock()
	if c, err = e.load(c.ID); err != nil {
		return err
	}
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
