//go:build linux

package check

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
)

// noNetCause knows why a child did not get its network. What goes over a netlink(7)
// socket is refused in an answer, not by a call: the state of the links tells, if no
// call of another kind was refused.
func noNetCause(s *Subject, r *remains) bool {
	if s.Step < "04" || r.refused("", settingUp...) {
		return false
	}
	if same, err := sameNamespace(r.child, "net"); err != nil || same {
		return false
	}
	st, err := readNet(r.child)
	for until := time.Now().Add(patience() / 2); r.status < 0 && err == nil && st.bare() &&
		time.Now().Before(until); st, err = readNet(r.child) {
		time.Sleep(100 * time.Millisecond) // a busy kernel takes seconds to make a link
	}
	if err != nil {
		return false
	}
	name, address := st.link()
	gaveUp := r.status > 0 && st.gateway == ""
	r.f.Kernel += "; the child has " + st.String()
	const look = "man 8 ip-address"
	switch loose := vethsWithoutMaster(); {
	case name == "" && len(loose.here) > 0:
		return r.names("veth-not-moved", "The child has its loopback and no other link: the "+
			"container's end of the veth pair was not moved into the child's namespace.", "ip link")
	case name == "":
		return false
	case len(loose.away) > 0:
		return r.names("port-not-on-bridge", fmt.Sprintf("The host's end of the veth pair, %s, is "+
			"no port of a bridge, so no bridge is brought up by it.", loose.away[0]),
			"bridge link; ip link")
	case gaveUp && !address.IsValid():
		return r.names("no-address", "A route needs a way to its gateway, and the link has no "+
			"address: it has to get one inside, for it loses those it had when it is moved.", look)
	case gaveUp && !st.up[name]:
		return r.names("link-down", "A route over a link that is down is refused: "+
			"the container's end of the veth pair has to be brought up first.", look)
	case gaveUp && address.Bits() == 32:
		return r.names("address-without-prefix", "The address was given without the length of its "+
			"network, so it is a /32: the gateway is in no network of the container.", look)
	}
	return false
}

// settingUp are the calls, beside those to a netlink socket, that a container is made
// with.
var settingUp = append([]string{
	"clone", "clone3", "unshare", "setns", "execve", "chroot", "sethostname", "write",
}, mounting...)

// bare reports whether a namespace has no link but those that each one has.
func (st netState) bare() bool {
	name, _ := st.link()
	return name == ""
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
	return strings.Fields("tunl0 gre0 gretap0 erspan0 sit0 ip_vti0 ip6_vti0 ip6tnl0 ip6gre0")
}

// loose are ends of veth pairs on the host that are ports of no bridge, by where the
// other end is: on the host as well, or away in another namespace.
type loose struct{ here, away []string }

// vethsWithoutMaster finds them.
func vethsWithoutMaster() loose {
	var found loose
	links, err := netlink.LinkList()
	if err != nil {
		return found
	}
	for _, l := range links {
		switch {
		case l.Type() != "veth" || l.Attrs().MasterIndex != 0:
		case l.Attrs().NetNsID >= 0:
			found.away = append(found.away, l.Attrs().Name)
		default:
			found.here = append(found.here, l.Attrs().Name)
		}
	}
	return found
}
