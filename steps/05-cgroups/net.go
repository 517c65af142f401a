package main

import (
	"errors"
	"flag"
	"fmt"
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
	bridge, subnet, err := openBridge(c.Net.asked)
	if err != nil {
		return err
	}
	links, err := linkNames()
	if err != nil {
		return err
	}
	c.Net.Address, err = chooseAddress(c.Net.asked, subnet, links)
	if err != nil {
		return err
	}
	c.Net.Gateway = firstAddress(subnet)
	c.Net.Resolv = nameservers()
	// Neither of these two needs the other, and the kernel is slow at both.
	opened := make(chan struct{})
	go func() { defer close(opened); openWayOut(subnet) }()
	err = wire(c, bridge)
	<-opened
	if err != nil {
		return err
	}
	return errors.Join(awaitUp(portName(c.Net.Address)), awaitUp(bridgeName))
}

// wire lays the veth pair, on the host: one end is a port of the bridge, the
// other eth0 of the container. The kernel makes both ends where they belong, so
// they end with the container even when this program is killed. The port comes
// first: the first name must be free here, and the host may have an eth0.
func wire(c *container, bridge netlink.Link) error {
	name := portName(c.Net.Address)
	attrs := netlink.NewLinkAttrs()
	attrs.Name = name
	// ip link add lab0-2 type veth peer name eth0 netns PID
	err := netlink.LinkAdd(&netlink.Veth{
		LinkAttrs: attrs, PeerName: "eth0",
		PeerNamespace: netlink.NsPid(c.child.Pid),
	})
	if err != nil {
		return fmt.Errorf("veth pair %s, eth0: %w", name, err)
	}
	// nsenter -t PID -n ip link set eth0 up
	err = within(c.child.Pid, func() error { return bringUp("eth0") })
	if err != nil {
		return err
	}
	port, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("link %s: %w", name, err)
	}
	c.Net.port = port.Attrs().Index
	// ip link set lab0-2 alias 'pid 4711'
	owner := fmt.Sprintf("pid %d", os.Getpid())
	if err := netlink.LinkSetAlias(port, owner); err != nil {
		return fmt.Errorf("alias of %s: %w", name, err)
	}
	// ip link set lab0-2 master lab0
	if err := netlink.LinkSetMaster(port, bridge); err != nil {
		return fmt.Errorf("link %s master %s: %w", name, bridgeName, err)
	}
	return bringUp(name)
}

// setUpLinks brings up what the container has, in the container.
func setUpLinks(c *container) error {
	// ip link set lo up
	if err := bringUp("lo"); err != nil {
		return err
	}
	if !c.Net.Address.IsValid() {
		return nil
	}
	eth0, err := netlink.LinkByName("eth0")
	if err != nil {
		return fmt.Errorf("link eth0: %w", err)
	}
	if err := addAddress(eth0, c.Net.Address); err != nil {
		return err
	}
	if err := awaitUp("eth0"); err != nil {
		return err
	}
	// ip route add default via 10.44.0.1
	route := &netlink.Route{Gw: c.Net.Gateway.AsSlice()}
	if err := netlink.RouteAdd(route); err != nil {
		return fmt.Errorf("default route via %s: %w", c.Net.Gateway, err)
	}
	return nil
}
