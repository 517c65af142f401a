package network

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
)

// defaultBridge is the bridge of the default network.
const defaultBridge = "mini0"

// aliasPrefix begins the alias of each of our bridges.
const aliasPrefix = "mini network "

// hash shortens a text to eight letters that hardly another text has.
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:4])
}

// alias is how a bridge of ours is known: `ip link show` prints it. There is room for
// 255 letters.
//
//	alias mini network web of /var/lib/mini/networks
func (s *Store) alias(name string) string {
	text := fmt.Sprintf("%s%s of %s", aliasPrefix, name, s.dir)
	return text[:min(len(text), 255)]
}

// bridgeName is what the bridge of a network is called. If another store has mini0, the
// default network of this one has a name made like all others'.
func (s *Store) bridgeName(h *netlink.Handle, name string) (string, error) {
	if name == Default {
		link, err := h.LinkByName(defaultBridge)
		if gone(err) {
			return defaultBridge, nil
		}
		if err != nil {
			return "", fmt.Errorf("link %s: %w", defaultBridge, err)
		}
		if link.Attrs().Alias == s.alias(name) {
			return defaultBridge, nil
		}
	}
	return s.ownName(name), nil
}

// ownName is a name that the bridge of no other store's network has.
func (s *Store) ownName(network string) string { return "mini-" + hash(s.dir+"/"+network) }

// Bridge tells the name of the bridge of a network, or none if it is not in use.
func (s *Store) Bridge(name string) (string, error) {
	h, err := openLinks()
	if err != nil {
		return "", err
	}
	defer h.Close()
	bridge, err := s.findBridge(h, name)
	if bridge == nil || err != nil {
		return "", err
	}
	return bridge.Attrs().Name, nil
}

// findBridge returns the bridge of a network, or nil if there is none.
func (s *Store) findBridge(h *netlink.Handle, name string) (netlink.Link, error) {
	link, err := s.bridgeName(h, name)
	if err != nil {
		return nil, err
	}
	bridge, err := h.LinkByName(link)
	if gone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("link %s: %w", link, err)
	}
	return bridge, nil
}

// openBridge returns the bridge of a network and makes it if there is none. One that a
// killed program has left half made is made anew: the address comes last.
func (s *Store) openBridge(h *netlink.Handle, n Network) (netlink.Link, error) {
	bridge, err := s.findBridge(h, n.Name)
	if err != nil {
		return nil, err
	}
	if bridge != nil {
		has, err := addressesOf(h, bridge)
		if err != nil {
			return nil, err
		}
		if len(has) == 1 && has[0] == netip.PrefixFrom(n.Gateway, n.Subnet.Bits()) {
			return bridge, nil
		}
		if err := h.LinkDel(bridge); err != nil && !gone(err) {
			return nil, fmt.Errorf("delete %s: %w", bridge.Attrs().Name, err)
		}
	}
	return s.makeBridge(h, n)
}

// makeBridge makes the bridge of a network, or nothing. A link is born without an alias: it
// has a name of its own until it has one, so that it is known whoever is killed.
func (s *Store) makeBridge(h *netlink.Handle, n Network) (netlink.Link, error) {
	name, err := s.bridgeName(h, n.Name)
	if err == nil {
		err = dropLink(h, s.ownName(n.Name))
	}
	if err != nil {
		return nil, err
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = s.ownName(n.Name)
	// A bridge without an address of its own takes a port's, and the containers' caches
	// are wrong when that port goes.
	attrs.HardwareAddr = mac(n.Gateway)
	bridge := &netlink.Bridge{LinkAttrs: attrs}
	// ip link add mini-1a2b3c4d address 02:6d:0a:4d:00:01 type bridge
	if err := h.LinkAdd(bridge); err != nil {
		return nil, fmt.Errorf("make bridge %s: %w", name, err)
	}
	if err := s.furnishBridge(h, bridge, name, n); err != nil {
		return nil, errors.Join(err, h.LinkDel(bridge))
	}
	return bridge, nil
}

// furnishBridge gives a new bridge all that it needs, its name first.
func (s *Store) furnishBridge(
	h *netlink.Handle, bridge netlink.Link, name string, n Network,
) error {
	// ip link set mini-1a2b3c4d alias 'mini network bridge of …'
	if err := h.LinkSetAlias(bridge, s.alias(n.Name)); err != nil {
		return fmt.Errorf("alias of %s: %w", name, err)
	}
	// ip link set mini-1a2b3c4d name mini0
	if err := h.LinkSetName(bridge, name); err != nil {
		return fmt.Errorf("name bridge %s: %w", name, err)
	}
	bridge.Attrs().Name = name
	// ip link set mini0 up
	if err := h.LinkSetUp(bridge); err != nil {
		return fmt.Errorf("set %s up: %w", name, err)
	}
	// What the host sends to a published port of 127.0.0.1 leaves through the bridge,
	// and so do no other packets with such an address: a rule sees to it.
	// sysctl net.ipv4.conf.mini0.route_localnet=1
	err := writeSetting("conf/"+name+"/route_localnet", "1")
	if err != nil {
		return err
	}
	return addAddress(h, bridge, netip.PrefixFrom(n.Gateway, n.Subnet.Bits()))
}

// dropBridge removes the bridge of a network if there is one.
func (s *Store) dropBridge(name string) error {
	h, err := openLinks()
	if err != nil {
		return err
	}
	defer h.Close()
	bridge, err := s.bridgeName(h, name)
	if err != nil {
		return err
	}
	return dropLink(h, bridge)
}

// dropLink removes a link if there is one of that name.
func dropLink(h *netlink.Handle, name string) error {
	link, err := h.LinkByName(name)
	if err == nil {
		// ip link delete mini0
		err = h.LinkDel(link)
	}
	if err != nil && !gone(err) {
		return fmt.Errorf("delete %s: %w", name, err)
	}
	return nil
}

// mac makes a link's address from its IP address, so that who has seen the one before
// need not ask who has it now. The first byte says that nobody sold it.
func mac(ip netip.Addr) net.HardwareAddr {
	return append(net.HardwareAddr{0x02, 0x6d}, ip.AsSlice()...)
}
