package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/moby/sys/mount"
	"golang.org/x/sys/unix"
)

// nameservers returns what /etc/resolv.conf is to say inside. It runs on the
// host. A host that asks a server of its own, as systemd-resolved is one,
// keeps the servers that one asks in the second file.
func nameservers() string {
	for _, name := range []string{
		"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf",
	} {
		text, err := os.ReadFile(name)
		if lines, ok := reachable(string(text)); err == nil && ok {
			return lines
		}
	}
	return ""
}

// reachable drops the servers on the host's loopback, for the container's is
// another one, and reports whether there are others.
//
//	nameserver 127.0.0.53
//	nameserver 192.0.2.53
//	search example.org
func reachable(text string) (kept string, ok bool) {
	var lines []string
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) > 1 && words[0] == "nameserver" {
			server, err := netip.ParseAddr(words[1])
			if err != nil || server.IsLoopback() {
				continue
			}
			ok = true
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, ""), ok
}

// useNameservers puts the host's name servers over the container's own file,
// in the container. A root file system without that file is not added to.
func useNameservers(c *container) error {
	if c.Layers.Lower != nil {
		return nil // the init layer has it
	}
	const target = "/etc/resolv.conf"
	for _, v := range c.Volumes {
		if v.Target == target {
			return nil // it is a volume, by the user's wish
		}
	}
	if c.Net.Resolv == "" || !exists(target) {
		return nil
	}
	// The file has to be somewhere, but neither on the host nor in the root:
	// a tmpfs lies on /proc for as long as it takes, and only the file stays.
	const scratch = "/proc"
	// mount -t tmpfs tmpfs /proc
	if err := mount.Mount("tmpfs", scratch, "tmpfs", "size=64k"); err != nil {
		return err
	}
	file := filepath.Join(scratch, "resolv.conf")
	err := os.WriteFile(file, []byte(c.Net.Resolv), 0o644)
	if err == nil {
		err = os.Chmod(file, 0o644) // whatever the umask is
	}
	if err == nil {
		// mount --bind /proc/resolv.conf /etc/resolv.conf
		err = mount.Mount(file, target, "", "bind")
	}
	if err != nil {
		return err
	}
	// umount -l /proc
	if err := unix.Unmount(scratch, unix.MNT_DETACH); err != nil {
		return fmt.Errorf("umount %s: %w", scratch, err)
	}
	return nil
}

// exists reports whether there is something of this name, of whatever kind.
func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
