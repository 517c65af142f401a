package network

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
)

// DNS is what --dns, --dns-search and --dns-option say.
type DNS struct {
	Servers []netip.Addr
	Search  []string
	Options []string
}

// ResolvText is what a container's /etc/resolv.conf says: what was asked for, and for
// the rest the host's. If shared is set, the container is in the host's network, where
// servers on the loopback address can be reached, too.
func ResolvText(dns DNS, shared bool) string {
	return dns.over(hostResolv(shared))
}

// hostResolv reads the host's file. A host that asks a server of its own, as
// systemd-resolved is one, keeps the servers that one asks in the second file.
func hostResolv(shared bool) string {
	best := ""
	for _, name := range []string{"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"} {
		text, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		if shared {
			return string(text)
		}
		lines, ok := reachable(string(text))
		if ok {
			return lines
		}
		if best == "" {
			best = lines
		}
	}
	return best
}

// reachable drops the servers on the host's loopback, for the container's is another
// one, and reports whether there are others.
//
//	nameserver 127.0.0.53
//	nameserver 192.0.2.53
//	search example.org
func reachable(text string) (kept string, ok bool) {
	var lines strings.Builder
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) > 1 && words[0] == "nameserver" {
			server, err := netip.ParseAddr(words[1])
			if err != nil || server.IsLoopback() {
				continue
			}
			ok = true
		}
		lines.WriteString(line)
	}
	return lines.String(), ok
}

// over puts what was asked for in the place of what the host's file says of it.
func (d DNS) over(host string) string {
	replaced := map[string]bool{
		"nameserver": len(d.Servers) > 0,
		"search":     len(d.Search) > 0, "domain": len(d.Search) > 0,
		"options": len(d.Options) > 0,
	}
	var b strings.Builder
	for line := range strings.Lines(host) {
		words := strings.Fields(line)
		if len(words) > 0 && !replaced[words[0]] {
			b.WriteString(strings.TrimSuffix(line, "\n") + "\n")
		}
	}
	for _, s := range d.Servers {
		fmt.Fprintf(&b, "nameserver %s\n", s)
	}
	if len(d.Search) > 0 {
		fmt.Fprintf(&b, "search %s\n", strings.Join(d.Search, " "))
	}
	if len(d.Options) > 0 {
		fmt.Fprintf(&b, "options %s\n", strings.Join(d.Options, " "))
	}
	return b.String()
}
