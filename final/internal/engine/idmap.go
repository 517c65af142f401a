//go:build linux

package engine

import (
	"fmt"
	"os"
	"strings"
)

// idMaps say which users and groups there are in our user namespace.
type idMaps struct {
	users, groups []idRange
}

// idRange are some that follow each other.
type idRange struct{ first, count uint64 }

// readMaps reads the maps of this process's user namespace. The first one has them all:
//
//	0          0 4294967295
//	(1)first inside (2)first outside (3)how many
func readMaps() (idMaps, error) {
	var m idMaps
	for path, to := range map[string]*[]idRange{
		"/proc/self/uid_map": &m.users, "/proc/self/gid_map": &m.groups,
	} {
		text, err := os.ReadFile(path)
		if err != nil {
			return m, err
		}
		for line := range strings.Lines(string(text)) {
			var first, outside, count uint64
			if _, err := fmt.Sscan(line, &first, &outside, &count); err != nil {
				return m, fmt.Errorf("%s: %q: %w", path, line, err)
			}
			*to = append(*to, idRange{first, count})
		}
	}
	return m, nil
}

// all reports whether this is the machine's first user namespace.
func (m idMaps) all() bool {
	return len(m.users) == 1 && m.users[0] == idRange{0, 1<<32 - 1}
}

// hasGroup reports whether there is a group of that number.
func (m idMaps) hasGroup(gid uint64) bool {
	for _, r := range m.groups {
		if gid >= r.first && gid-r.first < r.count {
			return true
		}
	}
	return false
}
