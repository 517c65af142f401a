package network

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
)

// join puts a container on a network by a veth pair: one end is a port of the bridge, the
// other a link of the container.
func (s *Store) join(l *Lease, j Join, others []Lease, inside *netlink.Handle) error {
	n, err := s.loadOrDefault(j.Network)
	if err != nil {
		return err
	}
	h, err := openLinks()
	if err != nil {
		return err
	}
	defer h.Close()
	if n, err = s.dodge(h, n, others); err != nil {
		return err
	}
	ip, err := pickAddress(n, j.IP, addresses(members(others, n.Name)))
	if err != nil {
		return fmt.Errorf("network %q: %w", n.Name, err)
	}
	bridge, err := s.openBridge(h, n)
	if err != nil {
		return err
	}
	e := Endpoint{
		Network: n.Name, Interface: l.freeInterface(),
		HostLink: "veth" + hash(l.ID+"/"+n.Name),
		Address:  netip.PrefixFrom(ip, n.Subnet.Bits()),
		MAC:      mac(ip).String(), Aliases: j.Aliases,
	}
	if !n.Internal {
		e.Gateway = n.Gateway
	}
	l.Endpoints = append(l.Endpoints, e)
	// On disk first: whatever ends this program, the next one knows what to undo.
	if err := writeJSON(s.leasePath(l.ID), l); err != nil {
		return err
	}
	if err := wire(h, bridge, e, l.Init.PID); err != nil {
		return err
	}
	if err := setUp(inside, e); err != nil {
		return err
	}
	if err := routeOut(inside, l.Endpoints); err != nil {
		return err
	}
	return errors.Join(awaitUp(h, e.HostLink), awaitUp(h, bridge.Attrs().Name))
}

// freeInterface names a container's next link.
func (l *Lease) freeInterface() string {
	taken := map[string]bool{}
	for _, e := range l.Endpoints {
		taken[e.Interface] = true
	}
	for i := 0; ; i++ {
		if name := fmt.Sprintf("eth%d", i); !taken[name] {
			return name
		}
	}
}

// dodge gives the default network other addresses when nobody uses it and the host has
// come to use its own for something else.
func (s *Store) dodge(h *netlink.Handle, n Network, others []Lease) (Network, error) {
	if n.Name != Default || len(members(others, n.Name)) > 0 {
		return n, nil
	}
	bridge, err := s.findBridge(h, n.Name)
	if bridge != nil || err != nil {
		return n, err
	}
	taken, err := takenByHost(h)
	if err != nil {
		return n, err
	}
	if _, ok := overlap(n.Subnet, taken); !ok {
		return n, nil
	}
	if n.Subnet, err = s.chooseSubnet(netip.Prefix{}); err != nil {
		return n, err
	}
	n.Gateway = first(n.Subnet)
	return n, writeJSON(s.path(n.Name), n)
}

// wire lays the pair. The kernel makes both ends where they belong, so they end with
// the container even when this program is killed.
func wire(h *netlink.Handle, bridge netlink.Link, e Endpoint, pid int) error {
	port := &netlink.Veth{
		LinkAttrs: netlink.NewLinkAttrs(), PeerName: e.Interface,
		PeerNamespace: netlink.NsPid(pid), PeerHardwareAddr: mac(e.Address.Addr()),
	}
	port.Name, port.Flags = e.HostLink, net.FlagUp
	port.MasterIndex = bridge.Attrs().Index
	// ip link add veth1a2b3c4d master mini0 up type veth peer name eth0 netns PID
	if err := h.LinkAdd(port); err != nil {
		return fmt.Errorf("veth pair %s, %s: %w", e.HostLink, e.Interface, err)
	}
	return nil
}

// unplug removes a veth pair. The one of a dead container is gone as a rule.
func unplug(e Endpoint) error {
	h, err := openLinks()
	if err != nil {
		return err
	}
	defer h.Close()
	link, err := h.LinkByName(e.HostLink)
	if err == nil {
		// ip link delete veth1a2b3c4d
		err = h.LinkDel(link)
	}
	if err != nil && !gone(err) {
		return fmt.Errorf("delete link %s: %w", e.HostLink, err)
	}
	return nil
}

// setUp gives the container's end its address.
func setUp(inside *netlink.Handle, e Endpoint) error {
	link, err := inside.LinkByName(e.Interface)
	if err != nil {
		return fmt.Errorf("link %s: %w", e.Interface, err)
	}
	if err := addAddress(inside, link, e.Address); err != nil {
		return err
	}
	if err := bringUp(inside, e.Interface); err != nil {
		return err
	}
	return awaitUp(inside, e.Interface)
}

// routeOut sends what is for nobody on the container's networks to the first bridge that
// leads out.
func routeOut(inside *netlink.Handle, endpoints []Endpoint) error {
	for _, e := range endpoints {
		if !e.Gateway.IsValid() {
			continue
		}
		// ip route replace default via 10.77.0.1
		route := &netlink.Route{Gw: e.Gateway.AsSlice()}
		if err := inside.RouteReplace(route); err != nil {
			return fmt.Errorf("default route via %s: %w", e.Gateway, err)
		}
		return nil
	}
	return nil
}

// addAddress gives a link an address and, with it, the route to its subnet.
//
//	ip address add 10.77.0.2/24 dev NAME
func addAddress(h *netlink.Handle, link netlink.Link, p netip.Prefix) error {
	err := h.AddrAdd(link, &netlink.Addr{IPNet: &net.IPNet{
		IP: p.Addr().AsSlice(), Mask: mask(p),
	}})
	if err != nil {
		return fmt.Errorf("address %s on %s: %w", p, link.Attrs().Name, err)
	}
	return nil
}

// addressesOf lists the IPv4 addresses of a link, or of all if it is nil.
//
//	ip -4 address show
func addressesOf(h *netlink.Handle, link netlink.Link) ([]netip.Prefix, error) {
	all, err := dump(func() ([]netlink.Addr, error) {
		return h.AddrList(link, netlink.FAMILY_V4)
	})
	if err != nil {
		return nil, fmt.Errorf("addresses: %w", err)
	}
	var prefixes []netip.Prefix
	for _, a := range all {
		prefixes = append(prefixes, prefix(a.IPNet))
	}
	return prefixes, nil
}

// takenByHost lists where the host's packets go already, but for the default route,
// which goes wherever no other does. A link that is down has no route, but its addresses
// are the host's all the same.
//
//	ip -4 route show
func takenByHost(h *netlink.Handle) ([]netip.Prefix, error) {
	routes, err := dump(func() ([]netlink.Route, error) {
		return h.RouteList(nil, netlink.FAMILY_V4)
	})
	if err != nil {
		return nil, fmt.Errorf("routes: %w", err)
	}
	taken, err := addressesOf(h, nil)
	for _, r := range routes {
		if to := prefix(r.Dst); to.Bits() > 0 {
			taken = append(taken, to)
		}
	}
	return taken, err
}

// chooseSubnet finds addresses for a new network that neither the host nor another
// network of ours has.
func (s *Store) chooseSubnet(asked netip.Prefix) (netip.Prefix, error) {
	h, err := openLinks()
	if err != nil {
		return asked, err
	}
	defer h.Close()
	taken, err := takenByHost(h)
	if err != nil {
		return asked, err
	}
	all, err := s.List()
	if err != nil {
		return asked, err
	}
	for _, n := range all {
		taken = append(taken, n.Subnet)
	}
	return pickSubnet(asked, taken)
}

// prefix is the same network as net/netip has it, or none for nil.
func prefix(n *net.IPNet) netip.Prefix {
	if n == nil {
		return netip.Prefix{}
	}
	addr, _ := netip.AddrFromSlice(n.IP)
	bits, _ := n.Mask.Size()
	return netip.PrefixFrom(addr.Unmap(), bits)
}

// mask is the prefix length as four bytes: 255.255.255.0 for /24.
func mask(p netip.Prefix) net.IPMask {
	return net.CIDRMask(p.Bits(), p.Addr().BitLen())
}
