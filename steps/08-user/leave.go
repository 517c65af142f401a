package main

import (
	"fmt"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// disconnect takes the container off the bridge, on the host, and the bridge
// away if nobody is left on it.
func disconnect(c *container) error {
	lock, err := lockHost()
	if err != nil {
		return err
	}
	defer lock.Close()
	h, err := openLinks()
	if err != nil {
		return err
	}
	defer h.Close()
	// The pair may have ended with the container. Its name may be another
	// container's by now; an index is not given twice.
	if port, err := h.LinkByIndex(c.Net.port); err == nil {
		// ip link delete lab0-2
		if err := h.LinkDel(port); err != nil && !gone(err) {
			return fmt.Errorf("delete link %s: %w", port.Attrs().Name, err)
		}
	}
	bridge, err := findBridge(h)
	if bridge == nil || err != nil {
		return err
	}
	return removeIfUnused(h, bridge)
}

// hasPorts reports whether there is a container on the bridge, on the host.
// One whose program was killed is gone when the kernel has removed its network
// namespace, a moment later, and with it the port: that is waited for.
func hasPorts(h *netlink.Handle, bridge netlink.Link) (bool, error) {
	for range 300 {
		links, err := dump(h.LinkList)
		if err != nil {
			return false, fmt.Errorf("ports of %s: %w", bridgeName, err)
		}
		alive, dead := 0, 0
		for _, link := range links {
			switch {
			case link.Attrs().MasterIndex != bridge.Attrs().Index:
			case lives(link.Attrs().Alias):
				alive++
			default:
				dead++
			}
		}
		if dead == 0 {
			return alive > 0, nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return true, nil // in spite of all it is in use, not ours to remove
}

// lives reports whether the owner that a port's alias names is a process.
//
//	pid 4711
func lives(alias string) bool {
	var pid int
	_, err := fmt.Sscanf(alias, "pid %d", &pid)
	return err == nil && pid > 1 && unix.Kill(pid, 0) != unix.ESRCH
}
