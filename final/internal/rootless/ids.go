//go:build linux

package rootless

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/moby/sys/user"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// maps are which ids of the machine's the ids of the user namespace stand for.
type maps struct {
	users, groups []specs.LinuxIDMapping
}

// ownMaps are the maps that this user can have: their own id as 0, and behind it the ones
// that they were lent.
//
//	/etc/subuid:  alice:100000:65536
//	0   1000    1
//	1 100000 65536
func ownMaps() maps {
	m := maps{users: mapping(os.Geteuid(), nil), groups: mapping(os.Getegid(), nil)}
	for _, helper := range []string{"newuidmap", "newgidmap"} {
		if _, err := exec.LookPath(helper); err != nil {
			return m
		}
	}
	// Who has no line there, or no name, has no such ids.
	users, _ := user.CurrentUserSubUIDs()
	groups, _ := user.CurrentUserSubGIDs()
	if len(users) > 0 && len(groups) > 0 {
		m.users, m.groups = mapping(os.Geteuid(), users), mapping(os.Getegid(), groups)
	}
	return m
}

// mapping maps 0 to one id and what follows to ranges.
func mapping(own int, lent []user.SubID) []specs.LinuxIDMapping {
	all := []specs.LinuxIDMapping{{HostID: uint32(own), Size: 1}}
	next := uint32(1)
	for _, ids := range lent {
		all = append(all, specs.LinuxIDMapping{
			ContainerID: next, HostID: uint32(ids.SubID), Size: uint32(ids.Count),
		})
		next += uint32(ids.Count)
	}
	return all
}

// alone reports whether there is but the user's own id.
func (m maps) alone() bool { return len(m.users) == 1 }

// String is both maps as the kernel shows them.
func (m maps) String() string {
	var text strings.Builder
	for i, list := range [][]specs.LinuxIDMapping{m.users, m.groups} {
		for _, ids := range list {
			kind := []string{"user", "group"}[i]
			fmt.Fprintf(&text, "%s %d %d %d\n", kind, ids.ContainerID, ids.HostID, ids.Size)
		}
	}
	return text.String()
}

// errAliens means that a directory was written with other ids.
var errAliens = errors.New("its files were written with other subordinate ids than " +
	"/etc/subuid and /etc/subgid have now")

// remember notes with which ids a root directory is written, and refuses others: its
// files would belong to strangers. With the first note comes a word about a lack of ids.
//
//	ROOT/ids:  user 0 1000 1
//	           user 1 100000 65536
//	           group 0 1000 1
//	           group 1 100000 65536
func (m maps) remember(root string, warn func(string)) error {
	path := filepath.Join(root, "ids")
	text, err := os.ReadFile(path)
	switch {
	case err == nil && string(text) == m.String():
		return nil
	case err == nil:
		return fmt.Errorf("%s: %w", root, errAliens)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := os.MkdirAll(root, 0o711); err != nil {
		return err
	}
	if m.alone() {
		warn("there is one id for all: files and processes of other users of an image become " +
			"yours. newuidmap, newgidmap and lines in /etc/subuid and /etc/subgid would give more")
	}
	return os.WriteFile(path, []byte(m.String()), 0o644)
}
