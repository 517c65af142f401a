package network

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// openLinks opens the socket through which the links of this network namespace are
// asked for and changed. It stays theirs wherever its user goes.
func openLinks() (*netlink.Handle, error) {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("netlink socket: %w", err)
	}
	return h, nil
}

// openLinksOf does it in the network namespace of a process. Only one thread of this
// program goes there, and only for that long.
//
//	nsenter -t PID -n
func openLinksOf(pid int) (*netlink.Handle, error) {
	runtime.LockOSThread()
	ours, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, err
	}
	defer ours.Close()
	theirs, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrGone, err)
	}
	defer theirs.Close()
	if err := unix.Setns(int(theirs.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread() // it has stayed where it was
		return nil, fmt.Errorf("setns %s: %w", theirs.Name(), err)
	}
	h, opened := openLinks()
	if err := unix.Setns(int(ours.Fd()), unix.CLONE_NEWNET); err != nil {
		// The thread stays locked, so it ends with its goroutine.
		return nil, fmt.Errorf("setns back: %w", err)
	}
	runtime.UnlockOSThread()
	return h, opened
}

// bringUp switches a link on.
//
//	ip link set NAME up
func bringUp(h *netlink.Handle, name string) error {
	link, err := h.LinkByName(name)
	if err == nil {
		err = h.LinkSetUp(link)
	}
	if err != nil {
		return fmt.Errorf("link %s up: %w", name, err)
	}
	return nil
}

// awaitUp waits until a link carries packets. The kernel switches it on some time after
// its other end came up, and until then what is sent is lost.
func awaitUp(h *netlink.Handle, name string) error {
	for range 10000 {
		link, err := h.LinkByName(name)
		if err != nil {
			return fmt.Errorf("link %s: %w", name, err)
		}
		if link.Attrs().OperState == netlink.OperUp {
			return nil
		}
		time.Sleep(time.Millisecond)
	}
	return fmt.Errorf("link %s up: %w", name, unix.ETIMEDOUT)
}

// dump repeats a listing for as long as a change in the midst of it made the kernel
// call it incomplete.
func dump[T any](list func() ([]T, error)) ([]T, error) {
	for {
		all, err := list()
		if !errors.Is(err, netlink.ErrDumpInterrupted) {
			return all, err
		}
	}
}

// gone reports that there is no such link, or no longer.
func gone(err error) bool {
	_, notFound := errors.AsType[netlink.LinkNotFoundError](err)
	return notFound || errors.Is(err, unix.ENODEV)
}
