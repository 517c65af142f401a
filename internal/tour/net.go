//go:build linux

package tour

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/vishvananda/netlink"

	"lab/internal/check"
	"lab/internal/inspect"
)

// playNet shows links, the address and the route.
func playNet(ctx context.Context, s *stage) error {
	if err := s.hold(ctx, true, "", "-rootfs", s.Root); err != nil {
		return err
	}
	host, err := readNet()
	if err != nil {
		return err
	}
	var inside netState
	err = inspect.In(s.held.PID, []string{"net"}, func() (err error) {
		inside, err = readNet()
		return err
	})
	if err != nil {
		return err
	}
	enter := fmt.Sprintf("nsenter -t %d -n ip ", s.held.PID)
	// Two namespaces may both have a lo and nothing else: which namespace it is
	// decides.
	s.show("links", host.String(), inside.String(), enter+"link", "")
	lo := inside.find("lo")
	s.demand("loopback", host.find("lo").state(), lo.state(), enter+"link show lo",
		lo.up, "programs that talk to 127.0.0.1 fail")
	if s.rootless && inside.find("eth0").name == "" {
		s.scene.Note = "an ordinary user may make no bridge on the host: lo is all there is"
	} else if err := s.wired(host, inside, enter); err != nil {
		return err
	}
	return s.namespace("net", true)
}

// wired shows a container that is joined to the host.
func (s *stage) wired(host, inside netState, enter string) error {
	address := inside.address()
	s.demand("address", host.addresses(), inside.addresses(), enter+"addr",
		address.IsValid() && !host.has(address), "it has none of its own")
	gateway, err := netip.ParseAddr(strings.TrimPrefix(inside.gateway, "via "))
	s.demand("default route", host.gateway, inside.gateway, enter+"route",
		err == nil && host.has(gateway), "it does not lead to the host")
	answer, fault := "1 answered", ""
	if err := check.Echo(address); err != nil {
		answer, fault = "0 answered", err.Error()
	}
	s.show("ping from the host", "1 sent", answer, "ping -c 1 "+address.String(), fault)
	return nil
}

// link is one network device.
type link struct {
	name      string
	up        bool
	addresses []netip.Prefix // of IPv4
}

// state says whether the link is up.
func (l link) state() string {
	switch {
	case l.name == "":
		return "none"
	case l.up:
		return "up"
	}
	return "down"
}

// netState is what netlink tells of a network namespace.
type netState struct {
	links   []link
	gateway string // of the default route
}

// String lists the links.
func (st netState) String() string {
	var names []string
	for _, l := range st.links {
		names = append(names, l.name)
	}
	return strings.Join(names, " ")
}

// find returns a link by its name, one without a name if there is none.
func (st netState) find(name string) link {
	for _, l := range st.links {
		if l.name == name {
			return l
		}
	}
	return link{}
}

// addresses lists all addresses with the lengths of their prefixes.
func (st netState) addresses() string {
	var words []string
	for _, l := range st.links {
		for _, a := range l.addresses {
			words = append(words, a.String())
		}
	}
	return strings.Join(words, " ")
}

// address returns the first address that is not of the loopback.
func (st netState) address() netip.Addr {
	for _, l := range st.links {
		for _, a := range l.addresses {
			if !a.Addr().IsLoopback() {
				return a.Addr()
			}
		}
	}
	return netip.Addr{}
}

// has reports whether an address is one of these.
func (st netState) has(address netip.Addr) bool {
	for _, l := range st.links {
		for _, a := range l.addresses {
			if a.Addr() == address {
				return true
			}
		}
	}
	return false
}

// readNet reads the network namespace of the calling thread.
func readNet() (netState, error) {
	st := netState{gateway: "none"}
	links, err := netlink.LinkList()
	if err != nil {
		return st, fmt.Errorf("list the links: %w", err)
	}
	for _, l := range links {
		one := link{name: l.Attrs().Name, up: l.Attrs().Flags&net.FlagUp != 0}
		list, err := netlink.AddrList(l, netlink.FAMILY_V4)
		if err != nil {
			return st, fmt.Errorf("list the addresses of %s: %w", one.name, err)
		}
		for _, a := range list {
			address, err := netip.ParsePrefix(a.IPNet.String())
			if err != nil {
				return st, fmt.Errorf("an address of %s: %w", one.name, err)
			}
			one.addresses = append(one.addresses, address)
		}
		st.links = append(st.links, one)
	}
	routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		return st, fmt.Errorf("list the routes: %w", err)
	}
	for _, r := range routes {
		if r.Gw != nil && (r.Dst == nil || r.Dst.IP.IsUnspecified()) {
			st.gateway = "via " + r.Gw.String()
		}
	}
	return st, nil
}
