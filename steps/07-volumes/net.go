package main

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// network is a container's place on the bridge. What the parent found out on
// the host goes to the child with the rest of the description.
type network struct {
	Address netip.Prefix // such as 10.44.0.2/24; none: lo only
	Gateway netip.Addr   // the bridge's, the first of the subnet
	Resolv  string       // what /etc/resolv.conf says inside

	asked netip.Prefix // by -ip; may be none
	port  int          // the index of the host's end of the veth pair
}

// flags adds the flags of this file's topic.
func (n *network) flags(f *flag.FlagSet) {
	f.Func("ip", "address `CIDR`; the next free one if none",
		func(s string) (err error) {
			n.asked, err = parseAddress(s)
			return err
		})
}

// connect makes the container's network, on the host. Where the bridge is
// refused, as without root, the container has to do with its loopback.
func connect(c *container) error {
	err := plugIn(c)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EOPNOTSUPP) {
		c.Net = network{}
		say(fmt.Errorf("no bridge on this host: %w; "+
			"the container has lo only", cause(err)), "")
		return nil
	}
	// Even after a failure: a part of it may be there.
	c.undo = append(c.undo, func() error { return disconnect(c) })
	return err
}

// plugIn joins the container to the bridge by a veth pair and opens the way
// out, on the host.
func plugIn(c *container) error {
	lock, err := lockHost()
	if err != nil {
		return err
	}
	defer lock.Close()
	h, err := openLinks()
	if err != nil {
		return err
	}
	defer h.Close()
	bridge, subnet, err := openBridge(h, c.Net.asked)
	if err != nil {
		return err
	}
	links, err := linkNames(h)
	if err != nil {
		return err
	}
	c.Net.Address, err = chooseAddress(c.Net.asked, subnet, links)
	if err != nil {
		return err
	}
	c.Net.Gateway, c.Net.Resolv = firstAddress(subnet), nameservers()
	// Neither of these two needs the other, and the kernel is slow at both.
	opened := make(chan struct{})
	go func() { defer close(opened); openWayOut(subnet) }()
	err = wire(c, h, bridge)
	<-opened
	if err != nil {
		return err
	}
	return errors.Join(
		awaitUp(h, portName(c.Net.Address)), awaitUp(h, bridgeName))
}

// wire lays the veth pair, on the host: one end is a port of the bridge, the
// other eth0 of the container. The kernel makes both ends where they belong, so
// they end with the container even when this program is killed. The port comes
// first: the first name must be free here, and the host may have an eth0.
func wire(c *container, h *netlink.Handle, bridge netlink.Link) error {
	port := &netlink.Veth{
		LinkAttrs: netlink.NewLinkAttrs(), PeerName: "eth0",
		PeerNamespace: netlink.NsPid(c.child.Pid),
	}
	port.Name, port.Flags = portName(c.Net.Address), net.FlagUp
	port.MasterIndex = bridge.Attrs().Index
	// ip link add lab0-2 up type veth peer name eth0 netns PID
	// ip link set lab0-2 master lab0
	err := h.LinkAdd(port)
	c.Net.port = port.Index // even after a failure: it may be there
	if err != nil {
		return fmt.Errorf("veth pair %s, eth0: %w", port.Name, err)
	}
	// ip link set lab0-2 alias 'pid 4711'
	owner := fmt.Sprintf("pid %d", os.Getpid())
	if err := h.LinkSetAlias(port, owner); err != nil {
		return fmt.Errorf("alias of %s: %w", port.Name, err)
	}
	// nsenter -t PID -n ip link set eth0 up
	inside, err := openLinksOf(c.child.Pid)
	if err != nil {
		return err
	}
	defer inside.Close()
	return bringUp(inside, "eth0")
}

// setUpLinks brings up what the container has, in the container.
func setUpLinks(c *container) error {
	h, err := openLinks()
	if err != nil {
		return err
	}
	defer h.Close()
	// ip link set lo up
	if err := bringUp(h, "lo"); err != nil {
		return err
	}
	if !c.Net.Address.IsValid() {
		return nil
	}
	eth0, err := h.LinkByName("eth0")
	if err != nil {
		return fmt.Errorf("link eth0: %w", err)
	}
	if err := addAddress(h, eth0, c.Net.Address); err != nil {
		return err
	}
	if err := awaitUp(h, "eth0"); err != nil {
		return err
	}
	// ip route add default via 10.44.0.1
	route := &netlink.Route{Gw: c.Net.Gateway.AsSlice()}
	if err := h.RouteAdd(route); err != nil {
		return fmt.Errorf("default route via %s: %w", c.Net.Gateway, err)
	}
	return nil
}
