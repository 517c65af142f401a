//go:build linux

package inspect

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/sys/mountinfo"
)

// Membership is a process's place in one hierarchy of cgroups.
type Membership struct {
	// Controllers are those of a version 1 hierarchy, or its name, such as
	// name=systemd. It is empty for version 2.
	Controllers []string
	// Path is that of the reader's cgroup namespace.
	Path string
	// Dir is the directory that shows the cgroup to the reader, empty if no mount
	// does; Mount is where its hierarchy is mounted.
	Dir, Mount string
}

// Version returns the version of the hierarchy.
func (m Membership) Version() int {
	if len(m.Controllers) == 0 {
		return 2
	}
	return 1
}

// Memberships returns a process's place in every hierarchy, in the order of
// /proc/PID/cgroup:
//
//	4:memory:/lab-1f
//	1:cpu,cpuacct:/
//	0::/user.slice
func Memberships(pid int) ([]Membership, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return nil, err
	}
	self, err := Self()
	if err != nil {
		return nil, err
	}
	mounts, err := Mounts(self)
	if err != nil {
		return nil, err
	}
	var list []Membership
	for line := range strings.Lines(string(text)) {
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(parts) != 3 {
			continue
		}
		m := Membership{Path: parts[2]}
		if parts[1] != "" {
			m.Controllers = strings.Split(parts[1], ",")
		}
		m.Dir, m.Mount = m.find(mounts, pid)
		list = append(list, m)
	}
	return list, nil
}

// find looks for the mount that shows a cgroup. What a mount shows as its top is
// its fourth field; the rest of the process's path lies below it:
//
//	35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
//	41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw
//
// A cgroup outside of the reader's namespace has a path that begins with /..,
// and only a mount that begins so too can show it.
func (m Membership) find(mounts []*mountinfo.Info, pid int) (dir, mount string) {
	for _, i := range mounts {
		options := strings.Split(i.VFSOptions, ",")
		ours := i.FSType == "cgroup2" && m.Version() == 2 ||
			i.FSType == "cgroup" && m.Version() == 1 && slices.Contains(options, m.Controllers[0])
		if !ours {
			continue
		}
		below, found := strings.CutPrefix(m.Path, strings.TrimSuffix(i.Root, "/"))
		outside := strings.HasPrefix(below, "/..")
		if found && !outside && (below == "" || below[0] == '/') {
			return filepath.Join(i.Mountpoint, below), i.Mountpoint
		}
		if dir := m.unnamed(i, pid); dir != "" {
			return dir, i.Mountpoint
		}
	}
	return "", ""
}

// unnamed looks for a cgroup below a mount that shows more than the reader's cgroup
// namespace. Its top is above the namespace's root, and the names of the directories
// in between are told nowhere; the one whose members are right is it:
//
//	35 31 0:32 /../.. /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
func (m Membership) unnamed(i *mountinfo.Info, pid int) string {
	const up = "/.."
	levels, path := strings.Count(i.Root, up), m.Path
	if levels == 0 || i.Root != strings.Repeat(up, levels) {
		return ""
	}
	for levels > 0 && strings.HasPrefix(path, up) {
		levels, path = levels-1, path[len(up):]
	}
	tops, err := filepath.Glob(i.Mountpoint + strings.Repeat("/*", levels))
	if err != nil {
		return ""
	}
	for _, top := range tops {
		dir := filepath.Join(top, path)
		members, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		if err == nil && slices.Contains(strings.Fields(string(members)), strconv.Itoa(pid)) {
			return dir
		}
	}
	return ""
}

// CgroupDir returns the directory that shows a process's cgroup in the
// hierarchy of a controller, such as "memory", and the hierarchy's version.
// Paths and mounts are those of the reader.
func CgroupDir(pid int, controller string) (dir string, version int, err error) {
	memberships, err := Memberships(pid)
	if err != nil {
		return "", 0, err
	}
	for _, m := range memberships {
		enabled := slices.Contains(m.Controllers, controller) ||
			m.Version() == 2 && m.enabled(controller)
		if enabled && m.Dir != "" {
			return m.Dir, m.Version(), nil
		}
	}
	return "", 0, fmt.Errorf("no mounted hierarchy has the controller %s", controller)
}

// enabled reports whether a version 2 hierarchy has a controller.
func (m Membership) enabled(controller string) bool {
	text, err := os.ReadFile(filepath.Join(m.Mount, "cgroup.controllers"))
	return err == nil && slices.Contains(strings.Fields(string(text)), controller)
}
