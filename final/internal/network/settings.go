package network

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/vishvananda/netlink"
)

// beforePrefix begins the name of the chain that tells how the host was before we made
// it a router. Whoever writes ip_forward has the kernel change accept_redirects as well.
//
//	before-ip_forward-0-accept_redirects-1
const beforePrefix = "before-"

// settingsNow is the name of that chain for the host as it is.
func settingsNow() string {
	return beforePrefix + "ip_forward-" + readSetting("ip_forward") +
		"-accept_redirects-" + readSetting("conf/all/accept_redirects")
}

// restore makes the host what it was, unless there is a bridge of somebody else, who may
// count on the host's forwarding by now.
func restore(before string) error {
	var forward, redirects string
	fields := strings.Split(strings.TrimPrefix(before, beforePrefix), "-")
	if len(fields) != 4 {
		return nil // we have changed nothing
	}
	forward, redirects = fields[1], fields[3]
	foreign, err := foreignBridge()
	if err != nil || foreign {
		return err
	}
	return errors.Join(
		writeSetting("ip_forward", forward),
		writeSetting("conf/all/accept_redirects", redirects))
}

// foreignBridge reports whether there is a bridge that no store of ours has made.
func foreignBridge() (bool, error) {
	h, err := openLinks()
	if err != nil {
		return false, err
	}
	defer h.Close()
	links, err := dump(h.LinkList)
	if err != nil {
		return false, fmt.Errorf("links: %w", err)
	}
	for _, l := range links {
		_, isBridge := l.(*netlink.Bridge)
		if isBridge && !strings.HasPrefix(l.Attrs().Alias, aliasPrefix) {
			return true, nil
		}
	}
	return false, nil
}

// readSetting reads one of the settings of IPv4 in this network namespace.
func readSetting(name string) string {
	text, err := os.ReadFile("/proc/sys/net/ipv4/" + name)
	if err != nil {
		return "" // what cannot be read will not be written back
	}
	return strings.TrimSpace(string(text))
}

// writeSetting changes one of them, unless it is so already.
func writeSetting(name, value string) error {
	if value == "" || readSetting(name) == value {
		return nil
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/"+name, []byte(value), 0); err != nil {
		return fmt.Errorf("set %s=%s: %w", name, value, err)
	}
	return nil
}
