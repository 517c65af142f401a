package main

import (
	"net/netip"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// makeInitLayer writes the files that differ from container to container into
// a layer of their own, above the image's and below upper, so that neither
// has them. It runs in the container, in the scratch file system.
func makeInitLayer(c *container) error {
	defer unix.Umask(unix.Umask(0o022)) // everyone in the container reads them
	for _, dir := range []string{"proc", "sys", "dev", "etc"} {
		if err := os.MkdirAll("init/"+dir, 0o755); err != nil {
			return err
		}
	}
	resolv, err := os.ReadFile("/etc/resolv.conf")
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	for name, text := range map[string]string{
		"hosts":       hosts(c.Hostname, c.Net.Address),
		"hostname":    c.Hostname + "\n",
		"resolv.conf": reachable(string(resolv)),
	} {
		err := os.WriteFile("init/etc/"+name, []byte(text), 0o644)
		if err != nil {
			return err
		}
	}
	return nil
}

// hosts is the text of /etc/hosts, in which the container finds its own name:
//
//	127.0.0.1	localhost
//	::1	localhost
//	10.88.0.2	container
func hosts(hostname, cidr string) string {
	own := "127.0.1.1" // without a network: an address of the loopback
	if prefix, err := netip.ParsePrefix(cidr); err == nil {
		own = prefix.Addr().String()
	}
	return "127.0.0.1\tlocalhost\n::1\tlocalhost\n" + own + "\t" + hostname +
		"\n"
}

// reachable is the host's resolv.conf without the name servers on the host's
// loopback, for that is not the container's:
//
//	nameserver 127.0.0.53
//	nameserver 192.0.2.1
//	search example.org
func reachable(resolv string) string {
	var kept strings.Builder
	for line := range strings.Lines(resolv) {
		words := strings.Fields(line)
		if len(words) > 1 && words[0] == "nameserver" {
			addr, err := netip.ParseAddr(words[1])
			if err == nil && addr.IsLoopback() {
				continue
			}
		}
		kept.WriteString(line)
	}
	return kept.String()
}
