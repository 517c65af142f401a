//go:build linux

package engine

import (
	"fmt"
	"net/netip"
	"slices"

	"lab/final/internal/network"
)

// networks are those that a container is on while it runs.
func (h *HostConfig) networks() ([]network.Join, error) {
	mode, err := network.ParseMode(h.NetworkMode)
	if err != nil || mode.Kind != network.Bridge {
		return nil, err
	}
	first := network.Join{Network: mode.Name, IP: h.IPAddress}
	return append([]network.Join{first}, h.Joined...), nil
}

// Join puts a container on one more network: at once if it runs, and at each start.
func (e *Engine) Join(c *Container, j network.Join) error {
	return e.rejoin(c, func(c *Container, store *network.Store) error {
		on, err := c.HostConfig.networks()
		switch {
		case err != nil:
			return err
		case len(on) == 0:
			return fmt.Errorf("--network %s: it can be on no other", c.HostConfig.NetworkMode)
		case slices.ContainsFunc(on, isOn(j.Network)):
			return fmt.Errorf("network %q: %w", j.Network, network.ErrAttached)
		}
		if _, err := store.Inspect(j.Network); err != nil {
			return err
		}
		if c.State.Running {
			if err := store.Connect(c.ID, j); err != nil {
				return err
			}
		}
		c.HostConfig.Joined = append(c.HostConfig.Joined, j)
		return nil
	})
}

// Leave takes a container off a network. Who is on no other has none any longer.
func (e *Engine) Leave(c *Container, name string) error {
	return e.rejoin(c, func(c *Container, store *network.Store) error {
		on, err := c.HostConfig.networks()
		if err == nil && !slices.ContainsFunc(on, isOn(name)) {
			err = fmt.Errorf("network %q: %w", name, network.ErrDetached)
		}
		if err == nil && c.State.Running {
			err = store.Disconnect(c.ID, name)
		}
		if err != nil {
			return err
		}
		h := &c.HostConfig
		on = slices.DeleteFunc(on, isOn(name))
		h.NetworkMode, h.IPAddress, h.Joined = "none", netip.Addr{}, nil
		if len(on) > 0 {
			h.NetworkMode, h.IPAddress, h.Joined = on[0].Network, on[0].IP, on[1:]
		}
		return nil
	})
}

// isOn reports whether a place is one on a network.
func isOn(name string) func(network.Join) bool {
	return func(j network.Join) bool { return j.Network == name }
}

// rejoin changes the networks of a container and notes it.
func (e *Engine) rejoin(c *Container, change func(*Container, *network.Store) error) error {
	return e.locked(c, func(c *Container) error {
		store, err := e.Networks()
		if err != nil {
			return err
		}
		if err := change(c, store); err != nil {
			return err
		}
		return e.save(c)
	})
}
