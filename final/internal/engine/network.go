//go:build linux

package engine

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"

	"lab/final/internal/network"
	"lab/final/internal/rootless"
)

// Networks opens the networks of the engine's root directory.
func (e *Engine) Networks() (*network.Store, error) { return network.Open(e.path("networks")) }

// checkNetwork refuses what is no network, or not one that the flags go with.
func (h *HostConfig) checkNetwork() error {
	mode, err := network.ParseMode(h.NetworkMode)
	if err != nil {
		return fmt.Errorf("--network: %w", err)
	}
	h.NetworkMode = mode.String()
	if mode.Kind != network.Bridge && (len(h.Ports) > 0 || h.IPAddress.IsValid()) {
		return fmt.Errorf("--network %s: there is no address on it to publish or to choose",
			h.NetworkMode)
	}
	return nil
}

// sharesNetwork reports whether its network is the host's or another container's.
func (h *HostConfig) sharesNetwork() bool {
	return h.NetworkMode == "host" || strings.HasPrefix(h.NetworkMode, "container:")
}

// publishAll publishes the ports that the container's programs listen on, each at a free
// port of the host, if all are to be.
func (c *Container) publishAll() error {
	if !c.HostConfig.PublishAll {
		return nil
	}
	published := map[string]bool{}
	for _, p := range c.HostConfig.Ports {
		published[fmt.Sprintf("%d/%s", p.Container, p.Proto)] = true
	}
	for _, text := range slices.Sorted(maps.Keys(c.Config.ExposedPorts)) {
		ports, err := network.ParsePorts(text)
		if err != nil {
			return fmt.Errorf("publish all ports: %w", err)
		}
		for _, p := range ports {
			if !published[fmt.Sprintf("%d/%s", p.Container, p.Proto)] {
				c.HostConfig.Ports = append(c.HostConfig.Ports, p)
			}
		}
	}
	return nil
}

// onNetworks does something with the networks, where their bridges are.
func (e *Engine) onNetworks(do func(*network.Store) error) error {
	store, err := e.Networks()
	if err == nil {
		err = e.openNetwork()
	}
	if err != nil {
		return err
	}
	return e.net.Do(func() error { return do(store) })
}

// openNetwork finds out where that is, and keeps it there.
func (e *Engine) openNetwork() (err error) {
	if e.net == nil {
		e.net, err = rootless.OpenNetwork(e.State)
	}
	return err
}

// connect gives a container its network when its first process is there and its command
// waits.
func (e *Engine) connect(id string, pid int) error {
	c, err := e.read(id)
	if err != nil {
		return err
	}
	h := &c.HostConfig
	mode, err := network.ParseMode(h.NetworkMode)
	if err != nil {
		return err
	}
	r := network.Request{
		ID: c.ID, Name: c.Name, PID: pid, Ports: h.Ports, HostsFile: c.HostsPath,
		Hostname: c.Config.Hostname, Extra: h.ExtraHosts,
	}
	if mode.Kind == network.Host || mode.Kind == network.Shared {
		return nil // it has one already
	}
	if r.Join, err = h.networks(); err != nil {
		return err
	}
	err = e.openDoors(&r)
	if err == nil {
		err = e.onNetworks(func(s *network.Store) error {
			lease, err := s.Attach(r)
			e.lead(lease)
			return err
		})
	}
	return err
}

// tellNeighbours tells the containers on its networks the new name of a running one.
func (e *Engine) tellNeighbours(c *Container) error {
	store, err := e.Networks()
	if err != nil {
		return err
	}
	if _, there, err := store.Lease(c.ID); err != nil || !there {
		return err
	}
	return e.onNetworks(func(s *network.Store) error { return s.Rename(c.ID, c.Name) })
}

// disconnect gives back what connect has taken.
func (e *Engine) disconnect(c *Container) error {
	shut := e.shutDoors()
	mode, err := network.ParseMode(c.HostConfig.NetworkMode)
	if mode.Kind == network.Bridge || mode.Kind == network.None {
		err = e.onNetworks(func(s *network.Store) error { return s.Detach(c.ID) })
	}
	return errors.Join(shut, err)
}

// writeNames writes the files by which a container finds others and itself.
func (e *Engine) writeNames(c *Container) error {
	hosts := network.HostsText(c.HostConfig.ExtraHosts...)
	shared := c.HostConfig.NetworkMode == "host"
	resolv := network.ResolvText(c.HostConfig.DNS, shared)
	return errors.Join(
		os.WriteFile(c.HostsPath, []byte(hosts), 0o644),
		os.WriteFile(c.HostnamePath, []byte(c.Config.Hostname+"\n"), 0o644),
		os.WriteFile(c.ResolvConfPath, []byte(resolv), 0o644),
	)
}

// Addresses are a container's own while it runs, by its networks.
func (e *Engine) Addresses(c *Container) (map[string]netip.Addr, []network.Port, error) {
	store, err := e.Networks()
	if err != nil {
		return nil, nil, err
	}
	lease, there, err := store.Lease(c.ID)
	if err != nil || !there {
		return nil, nil, err
	}
	found := map[string]netip.Addr{}
	for _, endpoint := range lease.Endpoints {
		found[endpoint.Network] = endpoint.Address.Addr()
	}
	return found, lease.Ports, nil
}
