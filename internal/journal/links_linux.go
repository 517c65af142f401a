package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// links lists this network namespace's links with their addresses, as
// `ip -details address` does.
func links() ([]Entry, error) {
	list, err := complete(netlink.LinkList)
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	addresses, err := addressesByLink()
	if err != nil {
		return nil, err
	}
	found := make([]Entry, 0, len(list))
	for _, link := range list {
		attrs := link.Attrs()
		state := []string{fmt.Sprintf("index %d", attrs.Index), "down"}
		if attrs.Flags&net.FlagUp != 0 {
			state[1] = "up"
		}
		if attrs.MasterIndex != 0 {
			state = append(state, fmt.Sprintf("master %d", attrs.MasterIndex))
		}
		found = append(found, Entry{
			Kind: Links, ID: "link " + attrs.Name,
			What:  link.Type() + " link " + attrs.Name,
			State: strings.Join(append(state, addresses[attrs.Index]...), ", "),
		})
	}
	return found, nil
}

// addressesByLink returns the addresses of each link by its index, without
// those of IPv6 that the kernel gives and takes by itself.
func addressesByLink() (map[int][]string, error) {
	list, err := complete(func() ([]netlink.Addr, error) {
		return netlink.AddrList(nil, unix.AF_UNSPEC)
	})
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	addresses := map[int][]string{}
	for _, a := range list {
		passing := a.IP.IsLinkLocalUnicast() || a.Flags&unix.IFA_F_PERMANENT == 0
		if a.IP.To4() != nil || !passing {
			addresses[a.LinkIndex] = append(addresses[a.LinkIndex], a.IPNet.String())
		}
	}
	for _, of := range addresses {
		slices.Sort(of)
	}
	return addresses, nil
}

// routes lists the IPv4 routes of all tables but the local one, which follows
// from the addresses: `ip route show table all`.
func routes() ([]Entry, error) {
	list, err := complete(func() ([]netlink.Route, error) {
		all := &netlink.Route{Table: unix.RT_TABLE_UNSPEC}
		return netlink.RouteListFiltered(unix.AF_INET, all, netlink.RT_FILTER_TABLE)
	})
	if err != nil {
		return nil, fmt.Errorf("list routes: %w", err)
	}
	var found []Entry
	for _, r := range list {
		if r.Table == unix.RT_TABLE_LOCAL {
			continue
		}
		what := "route default"
		if r.Dst != nil && r.Dst.String() != "0.0.0.0/0" {
			what = "route " + r.Dst.String()
		}
		if r.Gw != nil {
			what += " via " + r.Gw.String()
		}
		id := fmt.Sprintf("%s dev %d table %d metric %d", what, r.LinkIndex, r.Table, r.Priority)
		found = append(found, Entry{Kind: Links, ID: id, What: what})
	}
	return found, nil
}

// complete repeats a netlink dump that the kernel calls inconsistent because
// something changed meanwhile.
func complete[T any](dump func() ([]T, error)) ([]T, error) {
	const attempts = 10
	for range attempts - 1 {
		list, err := dump()
		if !errors.Is(err, netlink.ErrDumpInterrupted) {
			return list, err
		}
	}
	return dump()
}

// namedNetworks lists the network namespaces that have a name, as
// `ip netns list` does.
func namedNetworks() ([]Entry, error) {
	const dir = "/run/netns"
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list network namespaces: %w", err)
	}
	var found []Entry
	for _, entry := range entries {
		what := "network namespace " + filepath.Join(dir, entry.Name())
		found = append(found, Entry{Kind: Links, ID: what, What: what})
	}
	return found, nil
}
