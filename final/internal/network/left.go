package network

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Left tells what the host has of this store's networks for which no living container has
// a lease: bridges, links and rules that somebody has left who was killed.
func (s *Store) Left() ([]string, error) {
	unlock, err := s.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	living, err := s.Leases()
	if err != nil {
		return nil, err
	}
	h, err := openLinks()
	if err != nil {
		return nil, err
	}
	defer h.Close()
	used, unused, err := s.sortNetworks(h, living)
	if err != nil {
		return nil, err
	}
	var left []string
	stray, err := s.stray(h, used, unused, living)
	for _, l := range stray {
		left = append(left, "the link "+l.Attrs().Name+" is of no container's network")
	}
	rules, rulesErr := s.rulesLeft(compile(used, living))
	return append(left, rules...), errors.Join(err, rulesErr)
}

// ClearLeft removes what Left tells.
func (s *Store) ClearLeft() error {
	unlock, err := s.lock()
	if err != nil {
		return err
	}
	defer unlock()
	living, err := s.reclaim()
	if err != nil {
		return err
	}
	h, err := openLinks()
	if err != nil {
		return err
	}
	defer h.Close()
	used, unused, err := s.sortNetworks(h, living)
	if err != nil {
		return err
	}
	stray, err := s.stray(h, used, unused, living)
	for _, l := range stray {
		// ip link delete mini-1a2b3c4d
		if failed := h.LinkDel(l); failed != nil && !gone(failed) {
			err = errors.Join(err, fmt.Errorf("delete link %s: %w", l.Attrs().Name, failed))
		}
	}
	return errors.Join(err, s.settle(living))
}

// stray are the bridges of this store that nobody uses, or that were never finished, and the
// ports of those in use that are no container's.
func (s *Store) stray(
	h *netlink.Handle, used, unused []link, living []Lease,
) ([]netlink.Link, error) {
	all, err := dump(h.LinkList)
	if err != nil {
		return nil, fmt.Errorf("list the links: %w", err)
	}
	bridges, inUse := map[string]bool{}, map[int]bool{}
	for _, l := range used {
		bridges[l.bridge] = true
	}
	unfinished := map[string]bool{}
	for _, l := range append(append([]link{}, used...), unused...) {
		unfinished[s.ownName(l.Name)] = true
	}
	ports := map[string]bool{}
	for _, l := range living {
		for _, e := range l.Endpoints {
			ports[e.HostLink] = true
		}
	}
	var left []netlink.Link
	for _, l := range all {
		a := l.Attrs()
		switch {
		case bridges[a.Name]:
			inUse[a.Index] = true
		case s.hasAlias(a.Alias), a.Alias == "" && unfinished[a.Name]:
			left = append(left, l)
		}
	}
	for _, l := range all {
		if a := l.Attrs(); inUse[a.MasterIndex] && l.Type() == "veth" && !ports[a.Name] {
			left = append(left, l)
		}
	}
	return left, nil
}

// hasAlias reports whether an alias is that of a bridge of this store:
//
//	mini network web of /var/lib/mini/networks
func (s *Store) hasAlias(alias string) bool {
	text, ours := strings.CutPrefix(alias, aliasPrefix)
	name, _, _ := strings.Cut(text, " ")
	return ours && alias == s.alias(name)
}

// rulesLeft tells whether the rules are not those that are wanted.
func (s *Store) rulesLeft(want ruleset) ([]string, error) {
	chains, err := listChains(&nftables.Conn{})
	if errors.Is(err, ErrNoNftables) || errors.Is(err, unix.EPERM) {
		return nil, nil // so we made none
	}
	if err != nil {
		return nil, err
	}
	now, text := s.look(chains), want.String()
	right := now.says(s.chainName("sum-" + hash(text)))
	if text == "" {
		right = len(now.ours) == 0
	}
	if right {
		return nil, nil
	}
	names := make([]string, 0, len(now.ours))
	for _, c := range now.ours {
		names = append(names, c.Name)
	}
	slices.Sort(names)
	return []string{
		"the rules of the table mini are not those of the containers that run: " +
			strings.Join(names, ", "),
	}, nil
}
