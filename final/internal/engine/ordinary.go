//go:build linux

package engine

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"lab/final/internal/cgroup"
	"lab/final/internal/network"
	"lab/final/internal/rootless"
)

// What is different for an ordinary user stands in this file.

// warnOfNetwork tells an ordinary user that there is no way out of a container's network.
func (e *Engine) warnOfNetwork(c *Container) error {
	mode, err := network.ParseMode(c.HostConfig.NetworkMode)
	if err != nil || mode.Kind != network.Bridge || !rootless.Entered() {
		return err
	}
	return e.onNetworks(func(s *network.Store) error {
		n, err := s.Inspect(mode.Name)
		if err == nil && !n.Internal && e.net.Problem != "" {
			e.Warn("the network " + n.Name + " ends at this host: " + e.net.Problem)
		}
		return nil // that there is no such network is told later
	})
}

// openDoors opens an ordinary user's ports. The rules for them, which are made as well, are
// seen by the user's containers alone.
func (e *Engine) openDoors(r *network.Request) error {
	if err := e.openNetwork(); err != nil || e.net == nil {
		return err
	}
	r.Ports = slices.Clone(r.Ports)
	for i := range r.Ports {
		p := &r.Ports[i]
		door, err := e.net.Open(p.Proto, p.HostAddress())
		if err != nil {
			return fmt.Errorf("port %s/%s: %w", p.HostAddress(), p.Proto, doorError(err))
		}
		e.doors = append(e.doors, door)
		p.Host = door.Port()
	}
	return nil
}

// doorError says in words why a port cannot be opened.
func doorError(err error) error {
	switch errno, _ := errors.AsType[unix.Errno](err); errno {
	case unix.EADDRINUSE:
		return network.ErrTaken
	case unix.EADDRNOTAVAIL:
		return errors.New("this host has no such address")
	case unix.EACCES:
		return errors.New("it is below net.ipv4.ip_unprivileged_port_start, root's own")
	}
	return err
}

// lead lets those in who come to the ports of a container.
func (e *Engine) lead(l network.Lease) {
	for i, door := range e.doors {
		if len(l.Endpoints) > 0 {
			door.Lead(netip.AddrPortFrom(l.Endpoints[0].Address.Addr(), l.Ports[i].Container))
		}
	}
}

// shutDoors shuts them.
func (e *Engine) shutDoors() error {
	var errs []error
	for _, door := range e.doors {
		errs = append(errs, door.Close())
	}
	e.doors = nil
	return errors.Join(errs...)
}

// dropLimits drops those that need a cgroup where an ordinary user can have none, with a
// word about it.
func (e *Engine) dropLimits(h *HostConfig) error {
	if !rootless.Entered() || !h.hasLimits() {
		return nil
	}
	host, err := cgroup.ReadHost()
	if err != nil || hasScopes(host) || isDelegated(host) {
		return err
	}
	e.Warn("no cgroup is delegated to you, so there are no limits of memory, processors, " +
		"processes and disks")
	h.Memory, h.MemorySwap, h.PidsLimit = 0, 0, 0
	h.NanoCpus, h.CPUPeriod, h.CPUQuota, h.CPUShares = 0, 0, 0, 0
	h.CpusetCpus, h.CpusetMems = "", ""
	h.BlkioWeight, h.BlkioDeviceReadBps, h.BlkioDeviceWriteBps = 0, nil, nil
	h.BlkioDeviceReadIOps, h.BlkioDeviceWriteIOps = nil, nil
	return nil
}

// hasScopes reports whether the user's own systemd makes cgroups: on version 2, where it
// may hand out what it was given.
func hasScopes(host cgroup.Host) bool {
	if !host.Systemd || len(host.Hierarchies) != 1 || host.Hierarchies[0].Version != 2 {
		return false
	}
	_, err := os.Stat(filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "systemd/private"))
	return err == nil
}

// isDelegated reports whether we may make cgroups below our own.
func isDelegated(host cgroup.Host) bool {
	return slices.ContainsFunc(host.Hierarchies, func(h cgroup.Hierarchy) bool {
		own, seen := h.OwnDir()
		return seen && h.Version == 2 && unix.Access(own, unix.W_OK) == nil
	})
}

// wantsScope reports whether systemd is to make a container's cgroup: an ordinary user's,
// if it has limits.
func (c *Container) wantsScope() bool {
	if !rootless.Entered() || !c.HostConfig.hasLimits() {
		return false
	}
	host, err := cgroup.ReadHost()
	return err == nil && hasScopes(host)
}
