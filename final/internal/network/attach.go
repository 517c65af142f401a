package network

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// Request says what a container wants of the networks.
type Request struct {
	ID, Name  string
	PID       int // the container's first process, which has its network namespace
	Join      []Join
	Ports     []Port
	HostsFile string  // written anew whenever a neighbour comes or goes; may be none
	Hostname  string  // the container's own, for its hosts file
	Extra     []Entry // more lines for it
}

// Join is a network that a container wants to be on.
type Join struct {
	Network string
	IP      netip.Addr // a free one if none
	Aliases []string   // more names for it on this network
}

// Attach gives a container what it asks for, all of it or nothing. Without any network
// to join it gets its loopback. The hosts file must be there; it is written.
func (s *Store) Attach(r Request) (Lease, error) {
	if err := checkID(r.ID); err != nil {
		return Lease{}, err
	}
	unlock, err := s.lock()
	if err != nil {
		return Lease{}, err
	}
	defer unlock()
	others, err := s.othersThan(r.ID)
	if err != nil {
		return Lease{}, err
	}
	who, err := identify(r.PID)
	if err != nil {
		return Lease{}, fmt.Errorf("process %d: %w: %w", r.PID, ErrGone, err)
	}
	l := Lease{
		ID: r.ID, Name: r.Name, Init: who, Ports: r.Ports,
		HostsFile: r.HostsFile, Hostname: r.Hostname, Extra: r.Extra,
	}
	if l.Ports, err = claimPorts(r.Ports, others); err == nil {
		err = s.furnish(&l, r.Join, others)
	}
	if errors.Is(err, unix.EPERM) {
		err = fmt.Errorf("%w: %w", ErrRootless, err)
	}
	if err != nil {
		return Lease{}, errors.Join(err, s.release(l), s.settle(others))
	}
	return l, nil
}

// othersThan returns the leases of the living but this container's, whose own of an
// earlier life is released.
func (s *Store) othersThan(id string) (others []Lease, err error) {
	all, err := s.reclaim()
	if err != nil {
		return nil, err
	}
	for _, l := range all {
		if l.ID != id {
			others = append(others, l)
		} else if err := s.release(l); err != nil {
			return nil, err
		}
	}
	return others, nil
}

// furnish makes the container's links and the rules that they need. The lease is on
// disk before the host is changed, so that whatever ends this program, the next one
// knows what to undo.
func (s *Store) furnish(l *Lease, joins []Join, others []Lease) error {
	inside, err := openLinksOf(l.Init.PID)
	if err != nil {
		return err
	}
	defer inside.Close()
	if err := bringUp(inside, "lo"); err != nil {
		return err
	}
	for _, j := range joins {
		if err := s.join(l, j, others, inside); err != nil {
			return err
		}
	}
	if len(joins) == 0 {
		if err := writeJSON(s.leasePath(l.ID), l); err != nil {
			return err
		}
	}
	return s.settle(append(others, *l))
}

// Detach takes all from a container that it has of the networks. It is no error if it
// has nothing.
func (s *Store) Detach(id string) error {
	if err := checkID(id); err != nil {
		return err
	}
	if _, err := os.Lstat(s.leasePath(id)); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	unlock, err := s.lock()
	if err != nil {
		return err
	}
	defer unlock()
	others, err := s.othersThan(id)
	if err != nil {
		return err
	}
	return s.settle(others)
}

// Connect puts a running container on one more network.
func (s *Store) Connect(id string, j Join) error {
	return s.change(id, func(l *Lease, others []Lease) error {
		if l.on(j.Network) != nil {
			return fmt.Errorf("network %q: %w", j.Network, ErrAttached)
		}
		inside, err := openLinksOf(l.Init.PID)
		if err != nil {
			return err
		}
		defer inside.Close()
		before := *l
		if err = s.join(l, j, others, inside); err != nil {
			if e := l.on(j.Network); e != nil {
				err = errors.Join(err, unplug(*e))
			}
			*l = before
			return errors.Join(err, writeJSON(s.leasePath(id), before))
		}
		return nil
	})
}

// Disconnect takes a running container off a network.
func (s *Store) Disconnect(id, name string) error {
	return s.change(id, func(l *Lease, _ []Lease) error {
		e := l.on(name)
		if e == nil {
			return fmt.Errorf("network %q: %w", name, ErrDetached)
		}
		if err := unplug(*e); err != nil {
			return err
		}
		kept := []Endpoint{}
		for _, other := range l.Endpoints {
			if other.Network != name {
				kept = append(kept, other)
			}
		}
		l.Endpoints = kept
		return writeJSON(s.leasePath(id), l)
	})
}

// Rename tells the neighbours of a container its new name.
func (s *Store) Rename(id, name string) error {
	return s.change(id, func(l *Lease, _ []Lease) error {
		l.Name = name
		return writeJSON(s.leasePath(id), l)
	})
}

// change changes what a running container has, under the lock, and the rest accordingly.
func (s *Store) change(id string, f func(l *Lease, others []Lease) error) error {
	unlock, err := s.lock()
	if err != nil {
		return err
	}
	defer unlock()
	all, err := s.reclaim()
	if err != nil {
		return err
	}
	for i := range all {
		if all[i].ID != id {
			continue
		}
		others := append(append([]Lease{}, all[:i]...), all[i+1:]...)
		err := f(&all[i], others)
		return errors.Join(err, s.settle(all))
	}
	return fmt.Errorf("container %s: %w", short(id), ErrGone)
}

// settle makes the host fit the leases of the living, under the lock: the rules, the
// bridges that are of no more use, and the names that containers know.
func (s *Store) settle(all []Lease) error {
	if err := s.syncHost(all); err != nil {
		return err
	}
	return tellNames(all)
}
