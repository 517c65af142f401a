package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// bringUp switches a link on.
//
//	ip link set NAME up
func bringUp(h *netlink.Handle, name string) error {
	link, err := h.LinkByName(name)
	if err == nil {
		err = h.LinkSetUp(link)
	}
	if err != nil {
		return fmt.Errorf("link %s up: %w", name, err)
	}
	return nil
}

// awaitUp waits until a link carries packets. The kernel switches it on some
// time after its other end came up, and until then what is sent is lost.
func awaitUp(h *netlink.Handle, name string) error {
	for range 5000 {
		link, err := h.LinkByName(name)
		if err != nil {
			return fmt.Errorf("link %s: %w", name, err)
		}
		if link.Attrs().OperState == netlink.OperUp {
			return nil
		}
		time.Sleep(time.Millisecond)
	}
	return fmt.Errorf("link %s up: %w", name, unix.ETIMEDOUT)
}

// addAddress gives a link an address and, with it, the route to its subnet.
//
//	ip address add 10.44.0.2/24 dev NAME
func addAddress(
	h *netlink.Handle, link netlink.Link, p netip.Prefix,
) error {
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
func addressesOf(
	h *netlink.Handle, link netlink.Link,
) ([]netip.Prefix, error) {
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

// routes lists where the packets of this network namespace go, but for the
// default route, which goes wherever no other does.
//
//	ip -4 route show
func routes(h *netlink.Handle) ([]netip.Prefix, error) {
	all, err := dump(func() ([]netlink.Route, error) {
		return h.RouteList(nil, netlink.FAMILY_V4)
	})
	if err != nil {
		return nil, fmt.Errorf("routes: %w", err)
	}
	var prefixes []netip.Prefix
	for _, r := range all {
		if to := prefix(r.Dst); to.Bits() > 0 {
			prefixes = append(prefixes, to)
		}
	}
	return prefixes, nil
}

// linkNames lists the links of this network namespace by name.
//
//	ip link show
func linkNames(h *netlink.Handle) (map[string]bool, error) {
	links, err := dump(h.LinkList)
	if err != nil {
		return nil, fmt.Errorf("links: %w", err)
	}
	names := map[string]bool{}
	for _, link := range links {
		names[link.Attrs().Name] = true
	}
	return names, nil
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

// dump repeats a listing for as long as a change in the midst of it made the
// kernel call it incomplete.
func dump[T any](list func() ([]T, error)) ([]T, error) {
	for {
		all, err := list()
		if !errors.Is(err, netlink.ErrDumpInterrupted) {
			return all, err
		}
	}
}

// gone reports that there is no such link, or no longer.
func gone(err error) bool {
	_, notFound := errors.AsType[netlink.LinkNotFoundError](err)
	return notFound || errors.Is(err, unix.ENODEV)
}
