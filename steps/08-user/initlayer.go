package main

import (
	"fmt"
	"net/netip"
	"os"

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
	for name, text := range map[string]string{
		"hosts":       hosts(c.Hostname, c.Net.Address.Addr()),
		"hostname":    c.Hostname + "\n",
		"resolv.conf": c.Net.Resolv,
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
//	10.44.0.2	container
func hosts(hostname string, own netip.Addr) string {
	if !own.IsValid() {
		own = netip.AddrFrom4([4]byte{127, 0, 1, 1}) // the loopback's as well
	}
	return fmt.Sprintf("127.0.0.1\tlocalhost\n::1\tlocalhost\n%s\t%s\n",
		own, hostname)
}
