package runtime

import (
	"errors"
	"fmt"
	"os"
	"time"

	"lab/final/internal/hook"
	"lab/final/internal/wire"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// patience is how long a dead process may take to be gone.
const patience = 10 * time.Second

// Start has a created container execute its command. A warning is what went wrong and
// does not count.
func (r *Runtime) Start(id string) (warning, err error) {
	lock, err := r.lockPatiently(id)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	c, err := r.load(id)
	if err != nil {
		return nil, err
	}
	if status := r.status(c); status != specs.StateCreated {
		return nil, fmt.Errorf("container %q is %s: only a created one can be started", id, status)
	}
	if err := r.release(c); err != nil {
		return nil, err
	}
	state := c.oci(specs.StateRunning)
	if !fatalPoststart(c.Version) {
		return hook.RunAll("poststart", c.Hooks.Poststart, state), nil
	}
	if err := hook.Run("poststart", c.Hooks.Poststart, state); err != nil {
		return nil, errors.Join(err, c.Init.end())
	}
	return nil, nil
}

// fatalPoststart reports whether a poststart hook that fails ends the container: from
// version 1.3 of the specification on; before, it is worth a warning.
func fatalPoststart(version string) bool {
	var major, minor int
	_, err := fmt.Sscanf(version, "%d.%d", &major, &minor)
	return err == nil && (major > 1 || minor >= 3)
}

// release tells init to start, and learns how its execve(2) went.
func (r *Runtime) release(c *record) error {
	socket, err := dial(r.startSocket(c.ID))
	if errors.Is(err, unix.ECONNREFUSED) {
		return fmt.Errorf("container %q: init has died", c.ID)
	}
	if err != nil {
		return err
	}
	defer socket.Close()
	// Once the socket is gone the container counts as started. If we die between this
	// and the next line, init ends.
	if err := remove(r.startSocket(c.ID)); err != nil {
		return err
	}
	if err := wire.Send(socket, wire.Word{Point: "start"}); err != nil {
		return fmt.Errorf("tell init to start: %w", err)
	}
	if err := awaitExec(socket); err != nil {
		// Who asked removes the container next, which takes a dead init.
		return errors.Join(err, c.Init.end())
	}
	return nil
}

// awaitExec waits until execve(2) has closed the process's end of a socket, or the
// process has said why there will be none.
func awaitExec(socket *os.File) error {
	var word wire.Word
	err := wire.Receive(socket, &word)
	switch {
	case errors.Is(err, wire.ErrDead):
		return nil
	case err != nil:
		return err
	}
	return errors.New(word.Error)
}

// Kill sends a signal to init, or to all processes of the container.
func (r *Runtime) Kill(id string, signal unix.Signal, all bool) error {
	c, err := r.load(id)
	if err != nil {
		return err
	}
	if all {
		return r.signalAll(c, signal)
	}
	if s := r.status(c); s == specs.StateStopped || s == specs.StateCreating {
		return fmt.Errorf("container %q: %w", id, ErrNotRunning)
	}
	return c.Init.signal(signal)
}

// Delete removes a container that has stopped, and with force one in any state. One
// that was created and not started is killed, as clients rely on.
func (r *Runtime) Delete(id string, force bool) (warning, err error) {
	if force {
		// Whoever is at work on it may wait for its init.
		if c, err := r.load(id); err == nil {
			_ = c.Init.signal(unix.SIGKILL) // it is tried again below, and that counts
		}
	}
	lock, err := r.lockPatiently(id)
	if errors.Is(err, ErrNotFound) && force {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	c, err := r.load(id)
	if err != nil {
		return nil, err
	}
	status := r.status(c)
	if !force && status != specs.StateStopped && status != specs.StateCreated {
		return nil, fmt.Errorf("container %q is %s: %w", id, status, ErrRunning)
	}
	if err := r.sweep(c); err != nil {
		return nil, err
	}
	warning = hook.RunAll("poststop", c.Hooks.Poststop, c.oci(specs.StateStopped))
	return warning, os.RemoveAll(r.dir(id))
}

// lockPatiently locks a container, and gives who has it locked a moment.
func (r *Runtime) lockPatiently(id string) (*os.File, error) {
	deadline := time.Now().Add(patience)
	for {
		lock, err := r.lock(id)
		if !errors.Is(err, ErrBusy) || time.Now().After(deadline) {
			return lock, err
		}
		time.Sleep(5 * time.Millisecond)
	}
}
