//go:build linux

package check

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
)

// noNetCause knows why a child did not get its network.
func noNetCause(s *Subject, r *remains) bool {
	if s.Step < "04" {
		return false
	}
	if same, err := sameNamespace(r.child, "net"); err != nil || same {
		return false
	}
	st, err := readNet(r.child)
	if err != nil {
		return false
	}
	name, address := st.link()
	r.f.Kernel += "; the child has " + st.String()
	look := fmt.Sprintf("nsenter -t $(pgrep -nf %s) -n ip addr", r.held.Args[0])
	switch {
	case name == "" && r.refused("not found", "no such device", "enodev"):
		return r.names("veth-not-moved", "The child has its loopback and no other link: the "+
			"container's end of the veth pair was not moved into the child's namespace.", "ip link")
	case name == "":
		return false
	case r.refused("unreachable", "enetunreach") && !address.IsValid():
		return r.names("no-address", "A route needs a way to its gateway, and the link has no "+
			"address: it has to get one inside, for it loses those it had when it is moved.", look)
	case r.refused("unreachable", "enetunreach") && !st.up[name]:
		return r.names("link-down", "A route over a link that is down is refused: "+
			"the container's end of the veth pair has to be brought up first.", look)
	case r.refused("unreachable", "enetunreach") && address.Bits() == 32:
		return r.names("address-without-prefix", "The address was given without the length of its "+
			"network, so it is a /32: the gateway is in no network of the container.", look)
	case len(withoutMaster()) > 0:
		return r.names("port-not-on-bridge", fmt.Sprintf("The host's end of the veth pair, %s, is "+
			"no port of a bridge, so no bridge is brought up by it.", withoutMaster()[0]),
			"bridge link; ip link")
	}
	return false
}

// link returns the container's end of the veth pair and its address.
func (st netState) link() (string, netip.Prefix) {
	for name := range st.up {
		if name != "lo" && !slices.Contains(fallbackLinks(), name) {
			return name, st.addresses[name]
		}
	}
	return "", netip.Prefix{}
}

// fallbackLinks are those that some kernels give every network namespace.
func fallbackLinks() []string {
	return []string{"tunl0", "gre0", "gretap0", "erspan0", "sit0", "ip_vti0", "ip6_vti0", "ip6tnl0",
		"ip6gre0"}
}

// withoutMaster returns the host's ends of veth pairs into other namespaces that are
// ports of no bridge.
func withoutMaster() []string {
	links, err := netlink.LinkList()
	if err != nil {
		return nil
	}
	var names []string
	for _, l := range links {
		if l.Type() == "veth" && l.Attrs().NetNsID >= 0 && l.Attrs().MasterIndex == 0 {
			names = append(names, l.Attrs().Name)
		}
	}
	return names
}
