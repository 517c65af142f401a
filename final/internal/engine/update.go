//go:build linux

package engine

import (
	"errors"
	"os"
	"path/filepath"

	"lab/final/internal/monitor"
)

// Update changes the limits and the restart policy of a container. One that runs has the
// new ones at once, and each later start has them, too.
func (e *Engine) Update(c *Container, change func(*HostConfig)) error {
	return e.locked(c, func(c *Container) error {
		change(&c.HostConfig)
		if c.HostConfig.AutoRemove && c.HostConfig.RestartPolicy.Name != "no" {
			return errors.New("it is removed when it has ended, so it is not started again")
		}
		if err := c.HostConfig.check(); err != nil {
			return err
		}
		if c.isUp() {
			if err := e.updateRunning(c); err != nil {
				return err
			}
		}
		if err := e.save(c); err != nil {
			return err
		}
		e.tell(c, "update", nil)
		return nil
	})
}

// updateRunning has the runtime change the limits of a running container, and tells its
// monitor the restart policy.
func (e *Engine) updateRunning(c *Container) error {
	policy := monitor.Request{Do: "policy", Restart: c.HostConfig.RestartPolicy}
	limits, err := c.HostConfig.resources()
	if err != nil || limits == nil {
		return errors.Join(err, e.ask(c, policy))
	}
	file := filepath.Join(e.stateDir(c.ID), "resources.json")
	if err := writeJSON(file, limits); err != nil {
		return err
	}
	defer os.Remove(file)
	words := []string{"update", "--resources", file, c.ID}
	if err := e.ask(c, monitor.Request{Do: "runtime", Args: words}); err != nil {
		return err
	}
	return e.ask(c, policy)
}
