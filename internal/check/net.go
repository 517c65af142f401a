//go:build linux

package check

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"lab/internal/inspect"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// netChecks are those of 04-net.
func netChecks() []Check {
	return []Check{
		{
			"the container has a network namespace of its own",
			networkStays(ownNamespace("net", "CLONE_NEWNET", true)),
		},
		{"its loopback is up", held(loopbackUp)},
		{"it has the address that was asked for and a default route", wired(addressAsAsked)},
		{"without -ip it gets an address that is free", wired(freeAddresses)},
		{"an address that a container has is not given again", wired(takenAddress)},
		{"host and container reach each other", wired(hostAndContainer)},
		{"containers reach each other, also when one of three has left", wired(amongContainers)},
		{"it reaches what the host reaches, by the host's address", wired(reachesWorld)},
		{"the last container leaves no link, rule or setting behind", wired(nothingLeft)},
		{"the next container takes over what a killed one left", wired(takenOver)},
	}
}

// wired skips a check where the host's own network must not be changed, as by
// an ordinary user.
func wired(judge func(context.Context, *Subject) error) func(context.Context, *Subject) error {
	return func(ctx context.Context, s *Subject) error {
		own, err := ownsNetwork()
		if err != nil {
			return err
		}
		if !own {
			return Skip("need net: no right over this host's network: run as root, or in the VM")
		}
		return judge(ctx, s)
	}
}

// ownsNetwork reports whether this process may make links: it has to have
// CAP_NET_ADMIN in the user namespace that owns its network namespace.
func ownsNetwork() (bool, error) {
	status, err := inspect.ReadStatus(os.Getpid())
	if err != nil || status.CapEff&(1<<unix.CAP_NET_ADMIN) == 0 {
		return false, err
	}
	network, err := os.Open("/proc/self/ns/net")
	if err != nil {
		return false, err
	}
	defer network.Close()
	fd, err := unix.IoctlRetInt(int(network.Fd()), unix.NS_GET_USERNS)
	if errors.Is(err, unix.EPERM) {
		return false, nil // the owner is a namespace above ours
	}
	if err != nil {
		return false, fmt.Errorf("owner of %s: %w", network.Name(), err)
	}
	return true, unix.Close(fd)
}

// netState is what netlink tells of a network namespace.
type netState struct {
	up        map[string]bool         // links by name
	addresses map[string]netip.Prefix // the IPv4 address of each link that has one
	gateway   string                  // of the default route
}

// readNet reads the network namespace of a process.
func readNet(pid int) (netState, error) {
	st := netState{up: map[string]bool{}, addresses: map[string]netip.Prefix{}}
	err := inspect.In(pid, []string{"net"}, func() error {
		links, err := netlink.LinkList()
		if err != nil {
			return fmt.Errorf("list the links of %d: %w", pid, err)
		}
		for _, l := range links {
			name := l.Attrs().Name
			st.up[name] = l.Attrs().Flags&net.FlagUp != 0
			list, err := netlink.AddrList(l, netlink.FAMILY_V4)
			if err != nil {
				return fmt.Errorf("list the addresses of %s of %d: %w", name, pid, err)
			}
			for _, a := range list {
				st.addresses[name], _ = netip.ParsePrefix(a.IPNet.String()) // the kernel's own
			}
		}
		routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
		if err != nil {
			return fmt.Errorf("list the routes of %d: %w", pid, err)
		}
		for _, r := range routes {
			if r.Gw != nil && (r.Dst == nil || r.Dst.IP.IsUnspecified()) {
				st.gateway = r.Gw.String()
			}
		}
		return nil
	})
	return st, err
}

// address returns the container's address on the bridge, the first that is
// not of the loopback.
func (st netState) address() netip.Prefix {
	for name, a := range st.addresses {
		if name != "lo" {
			return a
		}
	}
	return netip.Prefix{}
}

// String shows the state in one line.
func (st netState) String() string {
	var words []string
	for name, up := range st.up {
		word := name + " down"
		if up {
			word = name + " up"
		}
		if a, ok := st.addresses[name]; ok {
			word += " " + a.String()
		}
		words = append(words, word)
	}
	slices.Sort(words)
	gateway := st.gateway
	if gateway == "" {
		gateway = "nothing"
	}
	return strings.Join(words, ", ") + ", default route via " + gateway
}

// loopbackUp reads the flags of lo.
func loopbackUp(_ *Subject, h *Held) error {
	st, err := readNet(h.PID)
	if err != nil || st.up["lo"] {
		return err
	}
	return &Failure{
		Command: h.Command, Expected: "lo is up", Kernel: st.String(), Mistake: "lo-down",
		Diagnosis: "A new network namespace has a loopback that is down: " +
			"programs that talk to 127.0.0.1 fail.",
		Look: fmt.Sprintf("nsenter -t %s -n ip link", h.pid()),
	}
}

// randomSubnet returns a subnet of 256 addresses that no program can guess
// and this host has no route to.
func (s *Subject) randomSubnet() (netip.Prefix, error) {
	routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("list the host's routes: %w", err)
	}
	for {
		b := [4]byte{10, byte(64 + s.Rand.IntN(128)), byte(s.Rand.IntN(256)), 0}
		subnet := netip.PrefixFrom(netip.AddrFrom4(b), 24)
		taken := slices.ContainsFunc(routes, func(r netlink.Route) bool {
			if r.Dst == nil || r.Dst.IP.IsUnspecified() {
				return false
			}
			other, err := netip.ParsePrefix(r.Dst.String())
			return err == nil && other.Overlaps(subnet)
		})
		if !taken {
			return subnet, nil
		}
	}
}

// host returns an address of a subnet, with its prefix length.
func host(subnet netip.Prefix, place byte) netip.Prefix {
	b := subnet.Addr().As4()
	b[3] = place
	return netip.PrefixFrom(netip.AddrFrom4(b), subnet.Bits())
}

// holdNet starts a container with the built-in root and reads its network.
func (s *Subject) holdNet(ctx context.Context, flags ...string) (*Held, netState, error) {
	h, err := s.Hold(ctx, true, append([]string{"-rootfs", s.Root}, flags...)...)
	if err != nil {
		return nil, netState{}, err
	}
	st, err := readNet(h.PID)
	if err != nil {
		_, stopped := h.Stop(ctx)
		return nil, st, errors.Join(err, stopped)
	}
	return h, st, nil
}

// stopAll ends containers, in order.
func stopAll(ctx context.Context, all ...*Held) error {
	var errs []error
	for _, h := range all {
		if h != nil {
			_, err := h.Stop(ctx)
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// withForwarding does something while the host forwards packets ("1") or does
// not ("0"), and puts back what was.
func withForwarding(value string, do func() error) (err error) {
	const forward = "/proc/sys/net/ipv4/ip_forward"
	original, err := os.ReadFile(forward)
	if err != nil {
		return err
	}
	if err := os.WriteFile(forward, []byte(value), 0); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.WriteFile(forward, original, 0)) }()
	return do()
}
