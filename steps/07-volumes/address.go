package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
)

// ourSubnets are those that a new bridge tries in turn: none is a default of
// docker, podman or libvirt, and a host hardly has routes into all of them.
func ourSubnets() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("10.44.0.0/24"),
		netip.MustParsePrefix("10.45.0.0/24"),
		netip.MustParsePrefix("172.16.44.0/24"),
		netip.MustParsePrefix("192.168.244.0/24"),
		netip.MustParsePrefix("198.18.44.0/24"),
	}
}

// parseAddress reads what -ip was given and refuses what no container of any
// subnet can have.
func parseAddress(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil || !p.Addr().Is4() {
		return p, errors.New("not an IPv4 address with its prefix length, " +
			"such as 10.44.0.2/24")
	}
	if p.Bits() < 8 || p.Bits() > 30 {
		return p, fmt.Errorf("a subnet is of /8 to /30, not /%d", p.Bits())
	}
	if !p.Addr().IsGlobalUnicast() {
		return p, errors.New("not an address for a container")
	}
	switch p.Addr() {
	case p.Masked().Addr():
		return p, errors.New("the address of the network itself")
	case lastAddress(p):
		return p, errors.New("the broadcast address of its network")
	case firstAddress(p):
		return p, errors.New("the address of the bridge")
	}
	return p, nil
}

// chooseSubnet finds a subnet for a new bridge that would take no other's
// packets, and says which if it is not the usual one.
func chooseSubnet(
	h *netlink.Handle, asked netip.Prefix,
) (netip.Prefix, error) {
	taken, err := takenByHost(h)
	if err != nil {
		return netip.Prefix{}, err
	}
	if asked.IsValid() {
		if by, ok := overlap(asked, taken); ok {
			return asked, fmt.Errorf("-ip %s: this host has a route to %s",
				asked, by)
		}
		return asked.Masked(), nil
	}
	usual := ourSubnets()[0]
	for _, subnet := range ourSubnets() {
		if _, ok := overlap(subnet, taken); ok {
			continue
		}
		if subnet != usual {
			say(fmt.Errorf("%s is taken by a route of this host; using %s",
				usual, subnet), "")
		}
		return subnet, nil
	}
	return usual, errors.New("this host has routes to all our subnets: " +
		"choose one with -ip")
}

// takenByHost lists where the host's packets go already. A link that is down
// has no route, but its addresses are the host's all the same.
func takenByHost(h *netlink.Handle) ([]netip.Prefix, error) {
	taken, err := routes(h)
	if err != nil {
		return nil, err
	}
	addresses, err := addressesOf(h, nil)
	return append(taken, addresses...), err
}

// overlap returns the first of the taken prefixes that shares addresses with
// this one.
func overlap(p netip.Prefix, taken []netip.Prefix) (netip.Prefix, bool) {
	for _, t := range taken {
		if p.Overlaps(t) {
			return t.Masked(), true
		}
	}
	return netip.Prefix{}, false
}

// chooseAddress returns the address that was asked for or else the lowest one
// that nobody has. Who has which is told by the names of the bridge's ports.
func chooseAddress(
	asked, subnet netip.Prefix, links map[string]bool,
) (netip.Prefix, error) {
	if asked.IsValid() {
		if name := portName(asked); links[name] {
			return asked, fmt.Errorf("-ip %s: taken by %s", asked, name)
		}
		return asked, nil
	}
	last := lastAddress(subnet)
	for a := firstAddress(subnet).Next(); a != last; a = a.Next() {
		p := netip.PrefixFrom(a, subnet.Bits())
		if !links[portName(p)] {
			return p, nil
		}
	}
	return subnet, fmt.Errorf("%s: no address is free", subnet)
}

// portName names the host's end of a veth pair for the address of the other,
// by its place in the subnet: lab0-2 for 10.44.0.2/24.
func portName(p netip.Prefix) string {
	place := number(p.Addr()) - number(p.Masked().Addr())
	return fmt.Sprintf("%s-%d", bridgeName, place)
}

// firstAddress is the bridge's own.
func firstAddress(subnet netip.Prefix) netip.Addr {
	return subnet.Masked().Addr().Next()
}

// lastAddress is the one for broadcasts: all bits of the host part are set.
func lastAddress(subnet netip.Prefix) netip.Addr {
	n := number(subnet.Masked().Addr()) | (1<<(32-subnet.Bits()) - 1)
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, n)))
}

// number is an IPv4 address as the number that it is.
func number(a netip.Addr) uint32 {
	return binary.BigEndian.Uint32(a.AsSlice())
}
