package network

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
)

// pools are cut into the subnets that new networks get: none is a default of docker,
// podman or libvirt.
func pools() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("10.77.0.0/16"),
		netip.MustParsePrefix("10.78.0.0/16"),
		netip.MustParsePrefix("172.27.0.0/16"),
		netip.MustParsePrefix("192.168.240.0/20"),
	}
}

// subnetBits is the prefix length of a subnet out of a pool.
const subnetBits = 24

// pickSubnet returns the first subnet of the pools that shares no address with those
// that are taken, or the one that was asked for.
func pickSubnet(asked netip.Prefix, taken []netip.Prefix) (netip.Prefix, error) {
	if asked.IsValid() {
		if err := checkSubnet(asked); err != nil {
			return asked, err
		}
		if by, ok := overlap(asked, taken); ok {
			return asked, fmt.Errorf("subnet %s: %w by %s", asked, ErrTaken, by)
		}
		return asked, nil
	}
	for _, pool := range pools() {
		for a := pool.Addr(); pool.Contains(a); a = add(a, 1<<(32-subnetBits)) {
			subnet := netip.PrefixFrom(a, subnetBits)
			if _, ok := overlap(subnet, taken); !ok {
				return subnet, nil
			}
		}
	}
	return asked, errors.New("all our subnets are taken: choose one with --subnet")
}

// checkSubnet refuses what cannot be the subnet of a bridge.
func checkSubnet(p netip.Prefix) error {
	switch {
	case !p.Addr().Is4():
		return fmt.Errorf("subnet %s: not IPv4", p)
	case p.Bits() < 8 || p.Bits() > 30:
		return fmt.Errorf("subnet %s: a subnet is of /8 to /30", p)
	case p != p.Masked():
		return fmt.Errorf("subnet %s: the network's own address is %s", p, p.Masked())
	case !p.Addr().IsGlobalUnicast():
		return fmt.Errorf("subnet %s: not addresses for containers", p)
	}
	return nil
}

// overlap returns the first of the taken prefixes that shares addresses with p.
func overlap(p netip.Prefix, taken []netip.Prefix) (netip.Prefix, bool) {
	for _, t := range taken {
		if p.Overlaps(t) {
			return t.Masked(), true
		}
	}
	return netip.Prefix{}, false
}

// pickAddress returns the address that was asked for, or else the lowest one of the
// network that nobody has.
func pickAddress(n Network, asked netip.Addr, taken map[netip.Addr]string) (netip.Addr, error) {
	if asked.IsValid() {
		if err := usable(n.Subnet, asked); err != nil {
			return asked, fmt.Errorf("address %s: %w", asked, err)
		}
		if asked == n.Gateway {
			return asked, fmt.Errorf("address %s: %w by the bridge", asked, ErrTaken)
		}
		if by, ok := taken[asked]; ok {
			return asked, fmt.Errorf("address %s: %w by %s", asked, ErrTaken, by)
		}
		return asked, nil
	}
	for a := first(n.Subnet); a != last(n.Subnet); a = a.Next() {
		if _, ok := taken[a]; !ok && a != n.Gateway {
			return a, nil
		}
	}
	return asked, fmt.Errorf("%s: %w", n.Subnet, ErrExhausted)
}

// usable refuses what is no address for one machine on a subnet.
func usable(subnet netip.Prefix, a netip.Addr) error {
	switch {
	case !subnet.Contains(a):
		return fmt.Errorf("not in the subnet %s", subnet)
	case a == subnet.Addr():
		return errors.New("the address of the network itself")
	case a == last(subnet):
		return errors.New("the broadcast address of its network")
	}
	return nil
}

// first is the lowest address for a machine on a subnet.
func first(subnet netip.Prefix) netip.Addr { return subnet.Masked().Addr().Next() }

// last is the one for broadcasts: all bits of the host part are set.
func last(subnet netip.Prefix) netip.Addr {
	return add(subnet.Masked().Addr(), 1<<(32-subnet.Bits())-1)
}

// add counts addresses up.
func add(a netip.Addr, n uint32) netip.Addr {
	sum := binary.BigEndian.Uint32(a.AsSlice()) + n
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, sum)))
}
