package network

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Default is the name of the network that a container joins if it names none.
const Default = "bridge"

// Network is a bridge's worth of addresses under a name.
type Network struct {
	Name     string            `json:"name"`
	Created  time.Time         `json:"created"`
	Subnet   netip.Prefix      `json:"subnet"`
	Gateway  netip.Addr        `json:"gateway"` // the bridge's own address
	Internal bool              `json:"internal,omitempty"`
	Labels   map[string]string `json:"labels,omitempty"`
}

// Options say what a new network is to be like. All but the name may be left out.
type Options struct {
	Name     string
	Subnet   netip.Prefix // a free one of ours if none
	Gateway  netip.Addr   // the first address of the subnet if none
	Internal bool         // without a way out of this host
	Labels   map[string]string
}

// Store is a directory with a file for each network and each container on one.
type Store struct{ dir string }

// Open opens the networks that are kept in a directory, and makes that if need be.
func Open(dir string) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(dir, "leases"), 0o711); err != nil {
		return nil, fmt.Errorf("networks: %w", err)
	}
	return &Store{dir: dir}, nil
}

// nameRule is what networks may be called.
var nameRule = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$`)

// checkName refuses the name of a network that cannot be a file's, or that means
// something else where a network is named.
func checkName(name string) error {
	switch {
	case !nameRule.MatchString(name):
		return fmt.Errorf("network %q: %w", name, ErrName)
	case name == "host" || name == "none" || name == "default" || name == Default:
		return fmt.Errorf("network %q: %w", name, ErrReserved)
	}
	return nil
}

// Create makes a network. Its bridge comes with the first container.
func (s *Store) Create(o Options) (Network, error) {
	if err := checkName(o.Name); err != nil {
		return Network{}, err
	}
	unlock, err := s.lock()
	if err != nil {
		return Network{}, err
	}
	defer unlock()
	if _, err := s.load(o.Name); err == nil {
		return Network{}, fmt.Errorf("network %q: %w", o.Name, ErrExists)
	}
	return s.create(o)
}

// create makes a network under the lock.
func (s *Store) create(o Options) (Network, error) {
	subnet, err := s.chooseSubnet(o.Subnet)
	if err != nil {
		return Network{}, fmt.Errorf("network %q: %w", o.Name, err)
	}
	n := Network{
		Name: o.Name, Created: time.Now().UTC(), Subnet: subnet, Gateway: o.Gateway,
		Internal: o.Internal, Labels: o.Labels,
	}
	if !n.Gateway.IsValid() {
		n.Gateway = first(subnet)
	}
	if err := usable(subnet, n.Gateway); err != nil {
		return Network{}, fmt.Errorf("network %q: gateway %s: %w", o.Name, n.Gateway, err)
	}
	return n, writeJSON(s.path(o.Name), n)
}

// path is where a network is kept.
func (s *Store) path(name string) string { return filepath.Join(s.dir, name+".json") }

// load reads a network.
func (s *Store) load(name string) (n Network, err error) {
	if !nameRule.MatchString(name) {
		return n, fmt.Errorf("network %q: %w", name, ErrName)
	}
	err = readJSON(s.path(name), &n)
	if errors.Is(err, os.ErrNotExist) {
		err = ErrNotFound
	}
	if err != nil {
		return n, fmt.Errorf("network %q: %w", name, err)
	}
	return n, nil
}

// Inspect tells of one network. The default one is made if need be.
func (s *Store) Inspect(name string) (Network, error) {
	n, err := s.load(name)
	if name != Default || !errors.Is(err, ErrNotFound) {
		return n, err
	}
	unlock, err := s.lock()
	if err != nil {
		return n, err
	}
	defer unlock()
	return s.loadOrDefault(name)
}

// loadOrDefault reads a network, and makes the default one, under the lock.
func (s *Store) loadOrDefault(name string) (Network, error) {
	n, err := s.load(name)
	if name == Default && errors.Is(err, ErrNotFound) {
		return s.create(Options{Name: Default})
	}
	return n, err
}

// List tells of all networks, by name.
func (s *Store) List() ([]Network, error) {
	names, err := filepath.Glob(filepath.Join(s.dir, "*.json"))
	if err != nil {
		return nil, err
	}
	all := []Network{}
	for _, name := range names {
		n, err := s.load(strings.TrimSuffix(filepath.Base(name), ".json"))
		if errors.Is(err, ErrNotFound) {
			continue // it was removed meanwhile
		}
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	slices.SortFunc(all, func(a, b Network) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// Remove removes a network that no running container is on.
func (s *Store) Remove(name string) error {
	if name == Default || name == "host" || name == "none" {
		return fmt.Errorf("network %q: %w", name, ErrReserved)
	}
	unlock, err := s.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := s.load(name); err != nil {
		return err
	}
	leases, err := s.reclaim()
	if err != nil {
		return err
	}
	if on := members(leases, name); len(on) > 0 {
		return fmt.Errorf("network %q: %w by %s", name, ErrInUse, on[0].Name)
	}
	// While the network still is known: a killed command may have left its bridge.
	if err := s.settle(leases); err != nil {
		return err
	}
	return os.Remove(s.path(name))
}

// Prune removes the networks that no running container is on, and tells which.
func (s *Store) Prune() ([]string, error) {
	unlock, err := s.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	leases, err := s.reclaim()
	if err != nil {
		return nil, err
	}
	if err := s.settle(leases); err != nil {
		return nil, err
	}
	all, err := s.List()
	if err != nil {
		return nil, err
	}
	var gone []string
	for _, n := range all {
		if n.Name == Default || len(members(leases, n.Name)) > 0 {
			continue
		}
		if err := os.Remove(s.path(n.Name)); err != nil {
			return gone, err
		}
		gone = append(gone, n.Name)
	}
	return gone, nil
}

// writeJSON replaces a file in one step: who reads it sees the old text or the new one.
func writeJSON(path string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.Write(append(text, '\n'))
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

// readJSON reads what writeJSON wrote.
func readJSON(path string, v any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
