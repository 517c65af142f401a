package journal

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/moby/sys/mountinfo"
)

// mounts lists this mount namespace's mounts. Two at the same place are told
// apart by a number; the rest of the line is what a careless program changes:
//
//	25 24 0:23 / /dev/shm rw,nosuid shared:7 - tmpfs tmpfs rw
//
// A peer group's number is left out: it differs after an unmount and a mount.
func mounts() ([]Entry, error) {
	infos, err := mountinfo.GetMounts(nil)
	if err != nil {
		return nil, fmt.Errorf("read own mounts: %w", err)
	}
	found := make([]Entry, 0, len(infos))
	seen := map[string]int{}
	for _, m := range infos {
		what := fmt.Sprintf("%s on %s", m.FSType, m.Mountpoint)
		seen[what]++
		state := []string{m.Root + " of " + m.Source, m.Options, propagation(m.Optional)}
		found = append(found, Entry{
			Kind: Mounts, What: what,
			ID:    what + " #" + strconv.Itoa(seen[what]),
			State: strings.Join(state, ", "),
		})
	}
	return found, nil
}

// propagation returns the optional fields without their numbers.
func propagation(optional string) string {
	var words []string
	for field := range strings.FieldsSeq(optional) {
		word, _, _ := strings.Cut(field, ":")
		words = append(words, word)
	}
	if len(words) == 0 {
		return "private"
	}
	return strings.Join(words, " ")
}

// settings reads the sysctls that the steps change, and the host's name, which
// a step without its own uts namespace would change.
func settings() ([]Entry, error) {
	var found []Entry
	for _, name := range []string{
		"kernel/hostname",
		"net/ipv4/ip_forward",
		"net/ipv4/conf/all/forwarding",
		"net/ipv4/conf/all/route_localnet",
		"net/ipv6/conf/all/forwarding",
		"net/bridge/bridge-nf-call-iptables",
	} {
		text, err := os.ReadFile("/proc/sys/" + name)
		if err != nil {
			continue // not in this kernel, or its module is not loaded
		}
		what := strings.ReplaceAll(name, "/", ".")
		state := strings.TrimSpace(string(text))
		found = append(found, Entry{Kind: Settings, ID: what, What: what, State: state})
	}
	return found, nil
}
