package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const (
	bridgeName = "lab0"
	// bridgeMAC is how a bridge of ours is known: a locally administered
	// address that spells lab. Without one of its own a bridge takes a
	// port's, and the containers' ARP caches are wrong when that port goes.
	bridgeMAC = "02:6c:61:62:00:00"
)

// openBridge returns the host's bridge and its subnet, and makes it if there
// is none. A bridge without a port was left behind by a killed run: it goes
// first, and with it the rest of what that run did to the host.
func openBridge(
	h *netlink.Handle, asked netip.Prefix,
) (netlink.Link, netip.Prefix, error) {
	bridge, err := findBridge(h)
	if err == nil && bridge != nil {
		if err = removeIfUnused(h, bridge); err == nil {
			bridge, err = findBridge(h)
		}
	}
	if err != nil {
		return nil, netip.Prefix{}, err
	}
	if bridge == nil {
		return makeBridge(h, asked)
	}
	addresses, err := addressesOf(h, bridge)
	if err == nil && len(addresses) == 0 {
		err = fmt.Errorf("address of %s: %w", bridgeName, unix.EADDRNOTAVAIL)
	}
	if err != nil {
		return nil, asked, err
	}
	subnet := addresses[0].Masked()
	if asked.IsValid() && asked.Masked() != subnet {
		return nil, subnet, fmt.Errorf("-ip %s: %s is in use with %s",
			asked, bridgeName, subnet)
	}
	return bridge, subnet, nil
}

// findBridge returns our bridge, or nil if the host has none. One of the same
// name that is not ours is none: it is never changed.
func findBridge(h *netlink.Handle) (netlink.Link, error) {
	link, err := h.LinkByName(bridgeName)
	if gone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("link %s: %w", bridgeName, err)
	}
	if link.Attrs().HardwareAddr.String() != bridgeMAC {
		return nil, nil
	}
	return link, nil
}

// makeBridge makes the bridge, on the host, or nothing.
func makeBridge(
	h *netlink.Handle, asked netip.Prefix,
) (netlink.Link, netip.Prefix, error) {
	subnet, err := chooseSubnet(h, asked)
	if err != nil {
		return nil, subnet, err
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = bridgeName
	attrs.HardwareAddr, _ = net.ParseMAC(bridgeMAC) // good as it stands there
	attrs.Flags = net.FlagUp
	bridge := &netlink.Bridge{LinkAttrs: attrs}
	// ip link add lab0 up address 02:6c:61:62:00:00 type bridge
	if err := h.LinkAdd(bridge); err != nil {
		return nil, subnet, fmt.Errorf("make bridge %s: %w", bridgeName, err)
	}
	if err := furnish(h, bridge, subnet); err != nil {
		return nil, subnet, errors.Join(err, removeIfUnused(h, bridge))
	}
	return bridge, subnet, nil
}

// furnish gives a new bridge all that it needs, on the host. The bridge's
// alias keeps what the last container has to put back.
func furnish(
	h *netlink.Handle, bridge netlink.Link, subnet netip.Prefix,
) error {
	// ip link set lab0 alias 'before: ip_forward=0 …'
	err := h.LinkSetAlias(bridge, "before: "+readSettings())
	if err != nil {
		return fmt.Errorf("alias of %s: %w", bridgeName, err)
	}
	address := netip.PrefixFrom(firstAddress(subnet), subnet.Bits())
	return addAddress(h, bridge, address)
}

// removeIfUnused removes a bridge that has no ports and undoes, on the host,
// what was done for its sake. The bridge goes last: whatever ends this program
// before, the next one finds it and does it all again.
func removeIfUnused(h *netlink.Handle, bridge netlink.Link) error {
	used, err := hasPorts(h, bridge)
	if used || err != nil {
		return err
	}
	before := strings.TrimPrefix(bridge.Attrs().Alias, "before: ")
	err = errors.Join(removeRules(), writeSettings(before))
	// ip link delete lab0
	if gone := h.LinkDel(bridge); gone != nil {
		err = errors.Join(err, fmt.Errorf("delete %s: %w", bridgeName, gone))
	}
	return err
}
