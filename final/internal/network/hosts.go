package network

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
)

// Entry is a line of /etc/hosts.
type Entry struct {
	IP      netip.Addr `json:"ip,omitzero"`
	Names   []string   `json:"names"`
	Gateway bool       `json:"gateway,omitempty"` // the address is the host's on the bridge
}

// ParseHost reads what --add-host was given: NAME:IP, or NAME:host-gateway for the host.
func ParseHost(text string) (Entry, error) {
	name, address, found := strings.Cut(text, ":")
	if !found {
		name, address, found = strings.Cut(text, "=")
	}
	if !found || name == "" || strings.ContainsAny(name, " \t\n#") {
		return Entry{}, fmt.Errorf("host %q: expected NAME:IP", text)
	}
	if address == "host-gateway" {
		return Entry{Names: []string{name}, Gateway: true}, nil
	}
	ip, err := netip.ParseAddr(strings.Trim(address, "[]"))
	if err != nil {
		return Entry{}, fmt.Errorf("host %q: %q is not an address", text, address)
	}
	return Entry{IP: ip, Names: []string{name}}, nil
}

// HostsText is an /etc/hosts with the usual beginning and these entries. One that asks
// for the gateway is left out: there is none.
//
//	127.0.0.1	localhost
//	::1	localhost ip6-localhost ip6-loopback
//	10.77.0.2	web
func HostsText(entries ...Entry) string {
	var b strings.Builder
	b.WriteString("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n")
	for _, e := range entries {
		if e.IP.IsValid() && len(e.Names) > 0 {
			fmt.Fprintf(&b, "%s\t%s\n", e.IP, strings.Join(e.Names, " "))
		}
	}
	return b.String()
}

// hosts is what a container's /etc/hosts says: its own names, those that it was given,
// and its neighbours on each network but the default one, where nobody is told of
// others.
func (l *Lease) hosts(all []Lease) []Entry {
	var entries []Entry
	for _, e := range l.Extra {
		if e.Gateway && len(l.Endpoints) > 0 {
			e.IP = l.Endpoints[0].Gateway
		}
		entries = append(entries, e)
	}
	for _, own := range l.Endpoints {
		entries = append(entries, Entry{
			IP: own.Address.Addr(), Names: names(own.Aliases, l.Hostname, l.Name),
		})
	}
	for _, own := range l.Endpoints {
		if own.Network == Default {
			continue
		}
		for _, other := range members(all, own.Network) {
			if e := other.on(own.Network); other.ID != l.ID {
				entries = append(entries, Entry{
					IP: e.Address.Addr(), Names: names(e.Aliases, other.Name, short(other.ID)),
				})
			}
		}
	}
	return entries
}

// names puts names in a row, each once, and aliases last.
func names(aliases []string, more ...string) []string {
	var row []string
	for _, name := range append(more, aliases...) {
		if name != "" && !slices.Contains(row, name) {
			row = append(row, name)
		}
	}
	return row
}

// short is a container's ID as people see it.
func short(id string) string { return id[:min(12, len(id))] }

// tellNames writes the hosts files of all running containers anew where they have
// changed. A file whose container was removed this moment is no loss.
func tellNames(all []Lease) error {
	var errs []error
	for _, l := range all {
		if l.HostsFile == "" {
			continue
		}
		err := rewrite(l.HostsFile, HostsText(l.hosts(all)...))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, fmt.Errorf("hosts of %s: %w", l.Name, err))
		}
	}
	return errors.Join(errs...)
}

// rewrite changes a file in place: it may be mounted in a container, which would keep
// the old one if another took its name. One write(2) puts all of the text there before
// what is too much of the old one is cut off, so that who reads meanwhile sees no file
// that is empty.
func rewrite(path, text string) error {
	old, err := os.ReadFile(path)
	if err != nil || string(old) == text {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteAt([]byte(text), 0)
	if err == nil {
		err = file.Truncate(int64(len(text)))
	}
	return errors.Join(err, file.Close())
}
