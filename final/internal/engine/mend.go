//go:build linux

package engine

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"time"

	"lab/final/internal/monitor"
)

// lost is the exit status of a container of which nobody saw the end.
const lost = 255

// mend notes the end of a container whose monitor is gone: it was killed, or the machine
// was started anew. One that was to be removed after its end is removed, also if it never
// was started. What may still run of the container is ended first. The container is
// locked.
func (e *Engine) mend(c *Container) error {
	if err := errors.Join(e.sweep(c), e.dropCgroup(c.ID)); err != nil {
		return err
	}
	c.State.Status, c.State.ExitCode, c.State.Pid = monitor.Gone, lost, 0
	c.State.Running, c.State.Paused, c.State.Restarting = false, false, false
	c.State.Error = "the monitor is gone, so the exit status is not known"
	c.State.FinishedAt = time.Now().UTC()
	c.State.Monitor = monitor.Process{}
	if c.HostConfig.AutoRemove {
		return errors.Join(e.erase(c), ErrNotFound)
	}
	return writeJSON(e.statePath(c.ID), c.State)
}

// sweep removes what is left of a run that nobody looks after any longer. The directory of
// a container that ended in order is gone, and so are all after a reboot.
func (e *Engine) sweep(c *Container) error {
	if !isThere(e.stateDir(c.ID)) {
		return e.disconnect(c)
	}
	if err := e.deleteRun(c); err != nil {
		return err
	}
	if err := e.release(c); err != nil {
		return err
	}
	// An overlay that a killed monitor had mounted went with its mount namespace.
	return errors.Join(e.removeWork(c), e.removeState(c.ID))
}

// release gives back what a run had of the host, and of which the runtime knows nothing.
func (e *Engine) release(c *Container) error {
	return errors.Join(e.dropCgroup(c.ID), e.disconnect(c))
}

// deleteRun has the runtime forget a container and end what still runs of it.
func (e *Engine) deleteRun(c *Container) error {
	if c.RuntimePath == "" {
		return nil // the record is damaged: Check finds what its runtime has
	}
	words := slices.Concat(e.runtime(c)[1:], []string{"delete", "--force", c.ID})
	said, err := exec.Command(c.RuntimePath, words...).CombinedOutput()
	if err != nil && !bytes.Contains(said, []byte("does not exist")) {
		return fmt.Errorf("%s delete --force: %s: %w", c.RuntimePath, bytes.TrimSpace(said), err)
	}
	return nil
}
