package journal

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A step marks what it makes on the host: the bridge by its name and address,
// its ports by their alias, rules by their comment.
const (
	bridgeName = "lab0"
	bridgeMAC  = "02:6c:61:62:00:00" // spells lab
)

// cleanNetwork removes the bridge, the rules made for its sake, and puts the
// settings back that its alias keeps. Runs that come and go at this moment
// wait: they take the same lock.
func (c *cleaning) cleanNetwork() error {
	lock, err := lockNetwork()
	if err != nil {
		return err
	}
	defer lock.Close()
	link, err := netlink.LinkByName(bridgeName)
	_, none := errors.AsType[netlink.LinkNotFoundError](err)
	switch {
	case none:
		return c.cleanRules()
	case errors.Is(err, unix.EPERM):
		return nil // no network to look at
	case err != nil:
		return fmt.Errorf("link %s: %w", bridgeName, err)
	case link.Type() != "bridge" || link.Attrs().HardwareAddr.String() != bridgeMAC:
		c.keep(Links, link.Type()+" link "+bridgeName, "its address is not the lab's, "+bridgeMAC)
		return nil
	}
	user, err := c.portInUse(link)
	if err != nil {
		return err
	}
	if user != "" {
		c.keep(Links, "bridge link "+bridgeName, user)
		return nil
	}
	return c.removeBridge(link)
}

// lockNetwork takes the lock of the steps: a file that every process of this
// network namespace has.
//
//	flock /proc/self/ns/net COMMAND
func lockNetwork() (*os.File, error) {
	file, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("flock %s: %w", file.Name(), err), file.Close())
	}
	return file, nil
}

// portInUse says who uses the bridge, empty if nobody does. A port goes with
// its container's network, a moment after the last process in it: that is
// waited for.
func (c *cleaning) portInUse(bridge netlink.Link) (string, error) {
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		list, err := complete(netlink.LinkList)
		if err != nil {
			return "", fmt.Errorf("list ports of %s: %w", bridgeName, err)
		}
		dying := ""
		for _, link := range list {
			if link.Attrs().MasterIndex != bridge.Attrs().Index {
				continue
			}
			pid, ours := portOwner(link)
			switch {
			case !ours:
				return link.Attrs().Name + " is on it, which is not the lab's", nil
			case c.ownerLives(pid):
				return fmt.Sprintf("%s is on it, of process %d", link.Attrs().Name, pid), nil
			}
			dying = link.Attrs().Name
		}
		if dying == "" || c.DryRun {
			return "", nil
		}
		if time.Now().After(deadline) {
			return dying + " is on it: something else holds its container's network", nil
		}
	}
}

// portOwner reads who made a port from its alias.
//
//	pid 4711
func portOwner(link netlink.Link) (pid int, ours bool) {
	if link.Type() != "veth" || !strings.HasPrefix(link.Attrs().Name, bridgeName+"-") {
		return 0, false
	}
	_, err := fmt.Sscanf(link.Attrs().Alias, "pid %d", &pid)
	return pid, err == nil && pid > 1
}

// removeBridge undoes what the bridge's first container did to the host. The
// bridge goes last: whatever ends this program before, the next one finds it
// and does it all again.
func (c *cleaning) removeBridge(link netlink.Link) error {
	if err := c.removeRules(); err != nil {
		return err
	}
	before := strings.TrimPrefix(link.Attrs().Alias, "before: ")
	for word := range strings.FieldsSeq(before) {
		name, value, _ := strings.Cut(word, "=")
		if err := c.putBack(name, value); err != nil {
			return err
		}
	}
	// ip link delete lab0
	c.do(Links, "bridge link "+bridgeName, func() error { return netlink.LinkDel(link) })
	return nil
}

// putBack gives a setting the value back that it had before the bridge.
func (c *cleaning) putBack(name, value string) error {
	known := []string{"ip_forward", "conf/all/accept_redirects"}
	if !slices.Contains(known, name) || value != "0" && value != "1" {
		return nil // not what a step writes
	}
	file := "/proc/sys/net/ipv4/" + name
	now, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read a setting: %w", err)
	}
	if strings.TrimSpace(string(now)) == value {
		return nil
	}
	what := fmt.Sprintf("net.ipv4.%s=%s", strings.ReplaceAll(name, "/", "."), value)
	c.do(Settings, what, func() error { return os.WriteFile(file, []byte(value), 0) })
	return nil
}
