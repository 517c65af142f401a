package sandbox

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// The addresses of the stand-in for the internet: a network that is reserved
// for documentation (RFC 5737).
const (
	HostAddress     = "198.51.100.1" // the throw-away host's
	InternetAddress = "198.51.100.2" // the other side's
)

const (
	uplink       = "uplink0"
	internetName = "internet"
	netnsDir     = "/run/netns"
)

// T is what Internet needs of a *testing.T.
type T interface {
	Helper()
	Cleanup(f func())
	Fatal(args ...any)
	Skip(args ...any)
	Error(args ...any)
}

// Network is a network namespace beside the throw-away host's.
type Network struct {
	Name   string   // for `ip netns exec`
	Handle *os.File // for setns(2)
}

// Internet gives the throw-away host an uplink and a default route to a
// second network namespace, which knows the host's address and no way to any
// network behind it: an answer to a container comes back only if the
// container's address was translated. It is gone when the test ends. Outside
// of a throw-away host the test is skipped.
//
//	ip netns add internet
//	ip link add uplink0 type veth peer name eth0 netns internet
//	ip address add 198.51.100.1/24 dev uplink0
//	ip -n internet address add 198.51.100.2/24 dev eth0
//	ip route add default via 198.51.100.2
func Internet(t T) *Network {
	t.Helper()
	if !Active() {
		t.Skip("need sandbox: the internet is played in a throw-away host alone")
	}
	n := &Network{Name: internetName}
	t.Cleanup(func() {
		if err := n.remove(); err != nil {
			t.Error(err)
		}
	})
	for _, step := range []func() error{n.create, n.connect, n.configure, routeOut} {
		if err := step(); err != nil {
			t.Fatal(fmt.Sprintf("play the internet: %v", err))
		}
	}
	return n
}

// Do runs a function in the network. Sockets that the function opens, and
// processes that it starts, are in it for as long as they live; what it hands
// to another goroutine is not, such as the resolving of a name.
func (n *Network) Do(f func() error) error {
	done := make(chan error, 1)
	go apart(done, func() error {
		if err := unix.Setns(int(n.Handle.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter network namespace %s: %w", n.Name, err)
		}
		return f()
	})
	return <-done
}

// apart does something on a thread that ends with its goroutine, for it is in
// the wrong network from then on. The main thread would not end, and it is the
// one that /proc/PID shows of this program: another one is taken.
func apart(done chan<- error, do func() error) {
	runtime.LockOSThread()
	if unix.Gettid() != unix.Getpid() {
		done <- do()
		return
	}
	defer runtime.UnlockOSThread()
	elsewhere := make(chan error)
	go apart(elsewhere, do)
	done <- <-elsewhere
}

// path is where the namespace's name is.
func (n *Network) path() string { return filepath.Join(netnsDir, n.Name) }

// create makes the namespace and names it by a bind mount, as ip-netns(8) does.
func (n *Network) create() error {
	if err := os.MkdirAll(netnsDir, 0o755); err != nil {
		return err
	}
	name, err := os.OpenFile(n.path(), os.O_CREATE|os.O_EXCL, 0o444)
	if err != nil {
		return err
	}
	if err := name.Close(); err != nil {
		return err
	}
	made := make(chan error, 1)
	go apart(made, func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("unshare the network namespace: %w", err)
		}
		err := unix.Mount("/proc/thread-self/ns/net", n.path(), "", unix.MS_BIND, "")
		if err != nil {
			err = fmt.Errorf("bind a network namespace to %s: %w", n.path(), err)
		}
		return err
	})
	if err := <-made; err != nil {
		return err
	}
	n.Handle, err = os.Open(n.path())
	return err
}

// connect makes the pair of links between host and internet.
func (n *Network) connect() error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = uplink
	err := netlink.LinkAdd(&netlink.Veth{
		LinkAttrs: attrs, PeerName: "eth0", PeerNamespace: netlink.NsFd(n.Handle.Fd()),
	})
	if err != nil {
		return fmt.Errorf("make a veth pair: %w", err)
	}
	return giveAddress(uplink, HostAddress)
}

// configure sets up the internet's side.
func (n *Network) configure() error {
	return n.Do(func() error {
		return errors.Join(loopbackUp(), giveAddress("eth0", InternetAddress))
	})
}

// giveAddress sets a link up with an address in a network of 256.
func giveAddress(name, address string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("find %s: %w", name, err)
	}
	parsed, err := netlink.ParseAddr(address + "/24")
	if err != nil {
		return err
	}
	if err := netlink.AddrAdd(link, parsed); err != nil {
		return fmt.Errorf("give %s the address %s: %w", name, address, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("set %s up: %w", name, err)
	}
	return nil
}

// routeOut makes the internet the host's way to everywhere.
func routeOut() error {
	err := netlink.RouteAdd(&netlink.Route{Gw: net.ParseIP(InternetAddress)})
	if err != nil {
		return fmt.Errorf("route by %s: %w", InternetAddress, err)
	}
	return nil
}

// remove undoes create and connect, as far as they came. The host's link is
// removed by name: its peer would take it along, but later.
func (n *Network) remove() error {
	var errs []error
	if link, err := netlink.LinkByName(uplink); err == nil {
		errs = append(errs, netlink.LinkDel(link))
	}
	if n.Handle != nil {
		errs = append(errs, n.Handle.Close(), unix.Unmount(n.path(), unix.MNT_DETACH))
	}
	errs = append(errs, os.Remove(n.path()))
	// The directory may hold other names.
	if entries, err := os.ReadDir(netnsDir); err == nil && len(entries) == 0 {
		errs = append(errs, os.Remove(netnsDir))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("remove the network %s: %w", n.Name, err)
	}
	return nil
}
