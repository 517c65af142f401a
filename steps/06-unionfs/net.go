package main

import (
	"errors"
	"flag"
	"fmt"
	"net/netip"

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
	lock, err := lockHost()
	if err != nil {
		return err
	}
	defer lock.Close()
	err = plugIn(c)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EOPNOTSUPP) {
		c.Net = network{}
		say(fmt.Errorf("no bridge on this host: %w; "+
			"the container has lo only", cause(err)), "")
		return nil
	}
	return err
}

// plugIn joins the container to the bridge by a veth pair and opens the way
// out, on the host.
func plugIn(c *container) error {
	bridge, subnet, err := openBridge(c.Net.asked)
	if err != nil {
		return err
	}
	c.undo = append(c.undo, func() error { return disconnect(c) })
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
	if err := wire(c, bridge); err != nil {
		return err
	}
	if err := openWayOut(subnet); err != nil {
		say(fmt.Errorf("no way out of this host: %w", err), "")
	}
	return nil
}

// wire lays the veth pair, on the host: one end is a port of the bridge, the
// other is eth0 of the container. The kernel makes both ends where they
// belong, so they end with the container even when this program is killed.
func wire(c *container, bridge netlink.Link) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = portName(c.Net.Address)
	attrs.MasterIndex = bridge.Attrs().Index
	veth := &netlink.Veth{
		LinkAttrs:     attrs,
		PeerName:      "eth0",
		PeerNamespace: netlink.NsPid(c.child.Pid),
	}
	// ip link add lab0-2 master lab0 type veth peer name eth0 netns PID
	if err := netlink.LinkAdd(veth); err != nil {
		return fmt.Errorf("veth pair %s, eth0: %w", attrs.Name, err)
	}
	c.Net.port = veth.Index
	// ip link set lab0-2 up
	if err := netlink.LinkSetUp(veth); err != nil {
		return fmt.Errorf("link %s up: %w", attrs.Name, err)
	}
	return nil
}

// disconnect takes the container off the bridge, on the host, and the bridge
// away if nobody is left on it.
func disconnect(c *container) error {
	lock, err := lockHost()
	if err != nil {
		return err
	}
	defer lock.Close()
	// The pair may have ended with the container. Its name may be another
	// container's by now; an index is not given twice.
	if port, err := netlink.LinkByIndex(c.Net.port); err == nil {
		// ip link delete lab0-2
		if err := netlink.LinkDel(port); err != nil && !gone(err) {
			return fmt.Errorf("delete link %s: %w", port.Attrs().Name, err)
		}
	}
	bridge, err := findBridge()
	if bridge == nil || err != nil {
		return err
	}
	return removeIfUnused(bridge)
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
	if err := bringUp("eth0"); err != nil {
		return err
	}
	// ip route add default via 10.44.0.1
	route := &netlink.Route{Gw: c.Net.Gateway.AsSlice()}
	if err := netlink.RouteAdd(route); err != nil {
		return fmt.Errorf("default route via %s: %w", c.Net.Gateway, err)
	}
	return nil
}
