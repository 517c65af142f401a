package need

import (
	"bufio"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// OwnDir returns the directory of this process's own cgroup, and false if it is
// not below the mount.
func (h Hierarchy) OwnDir() (string, bool) {
	below, ok := cutDir(h.Own, h.Root)
	if !ok {
		return "", false
	}
	return filepath.Join(h.Mount, below), true
}

// cutDir returns what of path is left below dir.
func cutDir(path, dir string) (string, bool) {
	switch {
	case strings.HasPrefix(path, "/.."):
		return "", false // outside of the cgroup namespace
	case dir == "/":
		return path, true
	case path == dir:
		return "/", true
	case strings.HasPrefix(path, dir+"/"):
		return path[len(dir):], true
	}
	return "", false
}

// Has reports whether the hierarchy holds a controller.
func (h Hierarchy) Has(controller string) bool {
	return slices.Contains(h.Controllers, controller)
}

// Hierarchies returns the mounted cgroup hierarchies, those of version 1
// first, each once.
func Hierarchies() ([]Hierarchy, error) { return thisHost().hierarchies() }

// hierarchies joins what two files say. A hierarchy is recognised by the
// type and the super options of its mount, never by the mount's name:
//
//	35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
//	41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
func (h host) hierarchies() ([]Hierarchy, error) {
	own, err := h.ownCgroups()
	if err != nil {
		return nil, err
	}
	mounts, err := h.mounts(mountinfo.FSTypeFilter("cgroup", "cgroup2"))
	if err != nil {
		return nil, err
	}

	var found []Hierarchy
	place := map[string]int{} // in found, by the list of controllers
	for _, m := range mounts {
		key := ""
		if m.FSType == "cgroup" {
			key = v1Key(m.VFSOptions, own)
		}
		path, known := own[key]
		if !known {
			continue
		}
		hierarchy := Hierarchy{Version: 2, Mount: m.Mountpoint, Root: m.Root, Own: path}
		if key != "" {
			hierarchy.Version, hierarchy.Controllers = 1, strings.Split(key, ",")
		} else {
			hierarchy.Controllers = h.fields(filepath.Join(m.Mountpoint, "cgroup.controllers"))
		}
		i, again := place[key]
		switch {
		case !again:
			place[key] = len(found)
			found = append(found, hierarchy)
		case found[i].isOutside() && !hierarchy.isOutside():
			found[i] = hierarchy
		}
	}
	slices.SortStableFunc(found, func(a, b Hierarchy) int {
		return cmp.Compare(a.Version, b.Version)
	})
	return found, nil
}

// isOutside reports a mount that was made outside of this cgroup namespace:
// its root is /.. or above. It serves where there is no other, but the
// process's own cgroup cannot be told from it.
func (h Hierarchy) isOutside() bool { return strings.HasPrefix(h.Root, "/..") }

// v1Key finds the hierarchy of a version 1 mount: the list of controllers in
// /proc/self/cgroup of which each is an option of the super block. Other
// options (rw, xattr, clone_children) are no controllers.
func v1Key(superOptions string, own map[string]string) string {
	options := strings.Split(superOptions, ",")
	for key := range own {
		all := key != ""
		for controller := range strings.SplitSeq(key, ",") {
			all = all && slices.Contains(options, controller)
		}
		if all {
			return key
		}
	}
	return "?"
}

// ownCgroups reads this process's cgroup of each hierarchy, by its list of
// controllers. Version 2 has hierarchy 0 and an empty list:
//
//	9:name=systemd:/
//	4:cpu,cpuacct:/web
//	0::/user.slice
func (h host) ownCgroups() (map[string]string, error) {
	file, err := os.Open(h.path("/proc/self/cgroup"))
	if err != nil {
		return nil, fmt.Errorf("read own cgroups: %w", err)
	}
	defer file.Close()

	own := map[string]string{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		fields := strings.SplitN(lines.Text(), ":", 3)
		if len(fields) != 3 {
			return nil, fmt.Errorf("read own cgroups: %q has no three fields", lines.Text())
		}
		own[fields[1]] = fields[2]
	}
	return own, lines.Err()
}

// cgroups tells how control groups are mounted.
func (h host) cgroups() Cgroups {
	c := Cgroups{Mode: "none", Controllers: map[string]Controller{}}
	hierarchies, err := h.hierarchies()
	if err != nil {
		return c
	}

	c.Hierarchies = hierarchies
	c.Mode = mode(hierarchies)
	for _, hierarchy := range hierarchies {
		source := "/proc/self/mountinfo"
		if hierarchy.Version == 2 {
			source = filepath.Join(hierarchy.Mount, "cgroup.controllers")
			c.Delegated = h.delegated(hierarchy)
		}
		for _, name := range hierarchy.Controllers {
			if _, known := c.Controllers[name]; !known && !strings.HasPrefix(name, "name=") {
				c.Controllers[name] = Controller{hierarchy.Version, hierarchy.Mount, source}
			}
		}
	}
	return c
}

// mode names the mixture of versions.
func mode(hierarchies []Hierarchy) string {
	var v1, v2 bool
	for _, h := range hierarchies {
		v1 = v1 || h.Version == 1
		v2 = v2 || h.Version == 2
	}
	switch {
	case v1 && v2:
		return "hybrid"
	case v1:
		return "v1"
	case v2:
		return "v2"
	}
	return "none"
}

// delegated returns the directory of the process's own cgroup, or of its
// parent where the process is alone in a leaf, if it may make cgroups there
// without being root. The kernel's rule is one of file permissions: whoever
// may write the directory, cgroup.procs and cgroup.subtree_control is the
// delegatee. See cgroups(7), "Cgroups delegation: delegating a hierarchy".
func (h host) delegated(hierarchy Hierarchy) string {
	own, ok := hierarchy.OwnDir()
	if !ok || h.uid == 0 {
		return ""
	}
	for _, dir := range []string{own, filepath.Dir(own)} {
		inside := dir == hierarchy.Mount || strings.HasPrefix(dir, hierarchy.Mount+"/")
		if inside && h.mayDelegate(dir) {
			return dir
		}
	}
	return ""
}

// mayDelegate reports whether the files that delegation hands out are ours.
func (h host) mayDelegate(dir string) bool {
	for _, name := range []string{"", "cgroup.procs", "cgroup.subtree_control"} {
		if !h.writable(h.path(filepath.Join(dir, name))) {
			return false
		}
	}
	return true
}

// writable asks the kernel whether this process may write a file.
func writable(path string) bool {
	return unix.Faccessat(unix.AT_FDCWD, path, unix.W_OK, unix.AT_EACCESS) == nil
}

// fields returns the words of a file, none if it cannot be read.
func (h host) fields(path string) []string {
	text, err := os.ReadFile(h.path(path))
	if err != nil {
		return nil
	}
	return strings.Fields(string(text))
}

// mounts reads this process's mounts. Their points are paths in the process's
// root, without the base directory of a test.
func (h host) mounts(filter mountinfo.FilterFunc) ([]*mountinfo.Info, error) {
	file, err := os.Open(h.path("/proc/self/mountinfo"))
	if err != nil {
		return nil, fmt.Errorf("read own mounts: %w", err)
	}
	defer file.Close()
	mounts, err := mountinfo.GetMountsFromReader(file, filter)
	if err != nil {
		return nil, fmt.Errorf("read own mounts: %w", err)
	}
	return mounts, nil
}
