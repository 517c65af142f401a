//go:build linux

package check

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"lab/internal/inspect"
)

// world is a network beside the host's. It knows the host's address, and no way
// to any network behind the host.
type world struct {
	network *os.File        // its namespace
	link    string          // the host's way to it
	address [2]netip.Prefix // the host's and its own
}

// reachesWorld has a container ask a network that could not answer it, but only
// the host.
func reachesWorld(ctx context.Context, s *Subject) error {
	return withForwarding("0", func() error {
		w, err := newWorld(s)
		if err != nil {
			return err
		}
		h, _, err := s.holdNet(ctx)
		if err != nil {
			return errors.Join(err, w.remove())
		}
		judged := reaches(ctx, h, h.PID, w.address[1].Addr())
		if f, ok := errors.AsType[*Failure](judged); ok {
			f.Expected += fmt.Sprintf(", which has a way to the host's %s and to no other",
				w.address[0].Addr())
			judged = errors.Join(w.noWayOut(f), f)
		}
		return errors.Join(judged, stopAll(ctx, h), w.remove())
	})
}

// noWayOut tells why a container does not reach the world, while it runs.
func (w *world) noWayOut(f *Failure) error {
	forward, err := os.ReadFile("/proc/sys/net/ipv4/ip_forward")
	if err != nil {
		return err
	}
	received, err := w.received()
	if err != nil {
		return err
	}
	f.Kernel += fmt.Sprintf("; the host's ip_forward is %s", strings.TrimSpace(string(forward)))
	switch {
	case strings.TrimSpace(string(forward)) == "0":
		f.Mistake, f.Diagnosis = "ip-forward-off", "The host does not forward packets from one link "+
			"to another: ip_forward has to be 1 while a container runs."
		f.Look = "cat /proc/sys/net/ipv4/ip_forward"
	case f.Mistake != "no-way-through":
	case received > 0:
		f.Kernel += fmt.Sprintf("; %d packets arrived, the answers went nowhere", received)
		f.Mistake, f.Diagnosis = "no-masquerade", "The packets leave with the container's address, "+
			"to which nobody knows the way back: a masquerade rule gives them the host's."
		f.Look = "nft list ruleset; iptables -t nat -S"
	default:
		f.Mistake, f.Diagnosis = "forward-refused", "The host forwards, and yet no packet leaves it: "+
			"a rule of the forward hook drops them, or they take another way."
		f.Look = "nft list ruleset; iptables -S FORWARD; ip route"
	}
	return nil
}

// received returns how many IPv4 packets have arrived there.
//
//	Ip: Forwarding DefaultTTL InReceives InHdrErrors …
//	Ip: 2 64 3 0 …
func (w *world) received() (n int, err error) {
	err = inspect.In(os.Getpid(), nil, func() error {
		if err := unix.Setns(int(w.network.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("setns: %w", err)
		}
		text, err := os.ReadFile("/proc/thread-self/net/snmp")
		for line := range strings.Lines(string(text)) {
			var forwarding, ttl int
			// The first line, with the names, has no number.
			_, _ = fmt.Sscanf(line, "Ip: %d %d %d", &forwarding, &ttl, &n)
		}
		return err
	})
	return n, err
}

// newWorld makes the network and joins it to the host's.
func newWorld(s *Subject) (*world, error) {
	subnet, err := s.randomSubnet()
	if err != nil {
		return nil, err
	}
	w := &world{link: s.Word("labw"), address: [2]netip.Prefix{host(subnet, 1), host(subnet, 2)}}
	err = inspect.In(os.Getpid(), nil, func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("unshare CLONE_NEWNET: %w", err)
		}
		w.network, err = os.Open("/proc/thread-self/ns/net")
		return err
	})
	if err != nil {
		return nil, err
	}
	return w, w.connect()
}

// connect makes the pair of links between host and world.
//
//	ip link add labw-1f type veth peer name eth0 netns WORLD
func (w *world) connect() error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = w.link
	err := netlink.LinkAdd(&netlink.Veth{
		LinkAttrs: attrs, PeerName: "eth0", PeerNamespace: netlink.NsFd(w.network.Fd()),
	})
	if err != nil {
		return errors.Join(fmt.Errorf("veth pair %s, eth0: %w", w.link, err), w.network.Close())
	}
	err = inspect.In(os.Getpid(), nil, func() error {
		if err := unix.Setns(int(w.network.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("setns: %w", err)
		}
		return setUp("eth0", w.address[1])
	})
	if err := errors.Join(err, setUp(w.link, w.address[0])); err != nil {
		return errors.Join(err, w.remove())
	}
	return nil
}

// setUp gives a link of the calling thread's network an address.
func setUp(name string, address netip.Prefix) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("link %s: %w", name, err)
	}
	a := &netlink.Addr{IPNet: &net.IPNet{
		IP: address.Addr().AsSlice(), Mask: net.CIDRMask(address.Bits(), 32),
	}}
	if err := errors.Join(netlink.AddrAdd(link, a), netlink.LinkSetUp(link)); err != nil {
		return fmt.Errorf("address %s on %s: %w", address, name, err)
	}
	return nil
}

// remove takes the host's end away, and with it the other, and the network.
func (w *world) remove() error {
	link, err := netlink.LinkByName(w.link)
	if err == nil {
		err = netlink.LinkDel(link)
	}
	return errors.Join(err, w.network.Close())
}
