//go:build linux

package tour

import (
	"context"
	"fmt"
	"net"
	"strings"

	"github.com/vishvananda/netlink"

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
	s.differs("links", host.links, inside.links, enter+"link")
	if !strings.Contains(inside.links, "lo") {
		s.scene.Error = "the container has no loopback"
	}
	if s.rootless && !strings.Contains(inside.links, "eth0") {
		s.scene.Note = "an ordinary user may make no bridge on the host: lo is all there is"
	} else {
		s.differs("addresses", host.addresses, inside.addresses, enter+"addr")
		s.differs("default route", host.route, inside.route, enter+"route")
		if err := s.ping(inside); err != nil {
			return err
		}
	}
	return s.namespace("net", true)
}

// netState is what netlink tells of a network namespace.
type netState struct {
	links, addresses, route string
	first                   net.IP // the first address that is not of the loopback
}

// readNet reads the network namespace of the calling thread.
func readNet() (netState, error) {
	var st netState
	links, err := netlink.LinkList()
	if err != nil {
		return st, fmt.Errorf("list the links: %w", err)
	}
	var names, addresses []string
	for _, l := range links {
		names = append(names, l.Attrs().Name)
		list, err := netlink.AddrList(l, netlink.FAMILY_V4)
		if err != nil {
			return st, fmt.Errorf("list the addresses of %s: %w", l.Attrs().Name, err)
		}
		for _, a := range list {
			addresses = append(addresses, a.IPNet.String())
			if !a.IP.IsLoopback() && st.first == nil {
				st.first = a.IP
			}
		}
	}
	st.links, st.addresses = strings.Join(names, " "), strings.Join(addresses, " ")
	routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		return st, fmt.Errorf("list the routes: %w", err)
	}
	st.route = "none"
	for _, r := range routes {
		if r.Gw != nil && (r.Dst == nil || r.Dst.IP.IsUnspecified()) {
			st.route = "via " + r.Gw.String()
		}
	}
	return st, nil
}

// ping sends packets from the host to the container and reads from the
// container's own counters that they came.
func (s *stage) ping(inside netState) error {
	if inside.first == nil {
		s.scene.Error = "the container has no address"
		return nil
	}
	before, err := received(s.held.PID)
	if err != nil {
		return err
	}
	// Any datagram makes the host ask for the container's hardware address
	// and deliver; nobody has to answer.
	conn, err := net.Dial("udp", net.JoinHostPort(inside.first.String(), "9"))
	if err != nil {
		return err
	}
	_, err = conn.Write([]byte("lab"))
	if err := conn.Close(); err != nil {
		return err
	}
	if err != nil {
		return err
	}
	var after uint64
	for range 200 {
		if after, err = received(s.held.PID); err != nil || after > before {
			break
		}
		pause()
	}
	fault := ""
	if after <= before {
		fault = "a datagram from the host did not arrive"
	}
	s.show("packets from the host", "1 sent", fmt.Sprintf("%d received", after-before),
		fmt.Sprintf("cat /proc/%d/net/dev", s.held.PID), fault)
	return err
}

// received returns how many packets came in by eth0.
func received(pid int) (packets uint64, err error) {
	err = inspect.In(pid, []string{"net"}, func() error {
		links, err := netlink.LinkList()
		if err != nil {
			return err
		}
		for _, l := range links {
			if st := l.Attrs().Statistics; st != nil && l.Attrs().Name != "lo" {
				packets += st.RxPackets
			}
		}
		return nil
	})
	return packets, err
}
