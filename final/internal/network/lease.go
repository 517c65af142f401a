package network

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Lease is what a running container has of our networks.
type Lease struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Init      process    `json:"init"` // whoever this was given to
	Endpoints []Endpoint `json:"endpoints"`
	Ports     []Port     `json:"ports,omitempty"`
	HostsFile string     `json:"hostsFile,omitempty"`
	Hostname  string     `json:"hostname,omitempty"`
	Extra     []Entry    `json:"extra,omitempty"`
}

// Endpoint is a container's place on one network.
type Endpoint struct {
	Network   string       `json:"network"`
	Interface string       `json:"interface"` // in the container: eth0
	HostLink  string       `json:"hostLink"`  // its other end, a port of the bridge
	Address   netip.Prefix `json:"address"`
	Gateway   netip.Addr   `json:"gateway"`
	MAC       string       `json:"mac"`
	Aliases   []string     `json:"aliases,omitempty"`
}

// on returns the place on a network, or nil.
func (l *Lease) on(name string) *Endpoint {
	i := slices.IndexFunc(l.Endpoints, func(e Endpoint) bool { return e.Network == name })
	if i < 0 {
		return nil
	}
	return &l.Endpoints[i]
}

// leasePath is where a container's lease is kept.
func (s *Store) leasePath(id string) string {
	return filepath.Join(s.dir, "leases", id+".json")
}

// checkID refuses what cannot be the name of a lease's file.
func checkID(id string) error {
	if !nameRule.MatchString(id) && (len(id) != 64 || !nameRule.MatchString(id[1:])) {
		return fmt.Errorf("container %q: %w", id, ErrName)
	}
	return nil
}

// Lease tells what a container has; ok is false if that is nothing.
func (s *Store) Lease(id string) (l Lease, ok bool, err error) {
	if err := checkID(id); err != nil {
		return l, false, err
	}
	err = readJSON(s.leasePath(id), &l)
	if errors.Is(err, os.ErrNotExist) {
		return l, false, nil
	}
	return l, err == nil && l.Init.alive(), err
}

// Leases tells what all running containers have, in order of their names.
func (s *Store) Leases() ([]Lease, error) {
	all, err := s.leases()
	return slices.DeleteFunc(all, func(l Lease) bool { return !l.Init.alive() }), err
}

// leases reads all leases, those of dead containers too.
func (s *Store) leases() ([]Lease, error) {
	entries, err := os.ReadDir(filepath.Join(s.dir, "leases"))
	if err != nil {
		return nil, err
	}
	var all []Lease
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".json") {
			continue // one that is being written
		}
		var l Lease
		err := readJSON(filepath.Join(s.dir, "leases", e.Name()), &l)
		if errors.Is(err, os.ErrNotExist) {
			continue // it was released meanwhile
		}
		if err != nil {
			return nil, err
		}
		all = append(all, l)
	}
	slices.SortFunc(all, func(a, b Lease) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// Dead tells of which containers that are dead something may be left.
func (s *Store) Dead() ([]Lease, error) {
	all, err := s.leases()
	return slices.DeleteFunc(all, func(l Lease) bool { return l.Init.alive() }), err
}

// reclaim releases what the dead still have, under the lock, and returns the leases of
// the living. Bridges and rules that are of no more use stay until settle.
func (s *Store) reclaim() (living []Lease, err error) {
	all, err := s.leases()
	if err != nil {
		return nil, err
	}
	for _, l := range all {
		if l.Init.alive() {
			living = append(living, l)
			continue
		}
		if err := s.release(l); err != nil {
			return nil, err
		}
	}
	return living, nil
}

// release gives up all that a container has but the rules, which are made for all at
// once.
func (s *Store) release(l Lease) error {
	for _, e := range l.Endpoints {
		if err := unplug(e); err != nil {
			return err
		}
	}
	err := os.Remove(s.leasePath(l.ID))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// members are those of the leases that have a place on a network.
func members(leases []Lease, name string) []Lease {
	var on []Lease
	for _, l := range leases {
		if l.on(name) != nil {
			on = append(on, l)
		}
	}
	return on
}

// addresses tells who has which address.
func addresses(leases []Lease) map[netip.Addr]string {
	taken := map[netip.Addr]string{}
	for _, l := range leases {
		for _, e := range l.Endpoints {
			taken[e.Address.Addr()] = l.Name
		}
	}
	return taken
}
