//go:build linux

// Package mountview explains the mounts of a process, compared with the
// caller's. What it shows is what /proc/PID/mountinfo has; see
// proc_pid_mountinfo(5) and mount_namespaces(7).
package mountview

import (
	"fmt"
	"slices"
	"strings"

	"github.com/moby/sys/mountinfo"

	"lab/internal/inspect"
)

// Verdict says how a mount compares with the caller's.
type Verdict string

// The verdicts.
const (
	Same  Verdict = "same"  // the caller sees the same at the same place
	Other Verdict = "other" // the caller sees something else there
	Added Verdict = "added" // the caller has no mount there
)

// Mount is one mount of a process.
type Mount struct {
	*mountinfo.Info

	Verdict Verdict
	Depth   int // how many mounts it lies below
}

// Device returns the number of its file system, as in st_dev.
func (m Mount) Device() string { return fmt.Sprintf("%d:%d", m.Major, m.Minor) }

// Mounts are those of a process.
type Mounts struct {
	PID    int
	Own    bool    // its mount namespace is another one than the caller's
	List   []Mount // each after the one it lies on, as a tree
	Lacks  []string
	shared map[string]bool // peer groups of the caller's mounts, such as "5"
}

// Of reads the mounts of a process and of the caller.
func Of(pid int) (*Mounts, error) {
	theirs, err := inspect.Mounts(pid)
	if err != nil {
		return nil, inspect.Meanwhile(pid, err)
	}
	self, err := inspect.Self()
	if err != nil {
		return nil, err
	}
	yours, err := inspect.Mounts(self)
	if err != nil {
		return nil, err
	}
	namespace, err := inspect.Namespace(pid, "mnt")
	if err != nil {
		return nil, inspect.Meanwhile(pid, err)
	}
	own, err := inspect.Namespace(self, "mnt")
	if err != nil {
		return nil, err
	}
	m := &Mounts{PID: pid, Own: namespace != own, shared: map[string]bool{}}
	m.compare(theirs, yours)
	return m, nil
}

// compare judges each mount. A copy of a mount, in another namespace, has a
// number of its own; that it shows the same part of the same file system at the
// same place is what makes it the same to who looks at it.
func (m *Mounts) compare(theirs, yours []*mountinfo.Info) {
	places, shows := map[string]bool{}, map[string]bool{}
	for _, y := range yours {
		places[y.Mountpoint] = true
		shows[id(y)] = true
		if group := tag(y, "shared:"); group != "" {
			m.shared[group] = true
		}
	}
	for _, t := range inOrder(theirs) {
		switch {
		case shows[id(t.Info)]:
			t.Verdict = Same
		case places[t.Mountpoint]:
			t.Verdict = Other
		default:
			t.Verdict = Added
		}
		m.List = append(m.List, t)
	}
	for _, y := range yours {
		has := slices.ContainsFunc(m.List, func(t Mount) bool {
			return t.Mountpoint == y.Mountpoint
		})
		if !has && !slices.Contains(m.Lacks, y.Mountpoint) {
			m.Lacks = append(m.Lacks, y.Mountpoint)
		}
	}
	slices.Sort(m.Lacks)
}

// id is what a mount shows and where.
func id(i *mountinfo.Info) string {
	return fmt.Sprintf("%d:%d %q %q", i.Major, i.Minor, i.Root, i.Mountpoint)
}

// tag returns the value of one of the optional fields, "5" of shared:5.
//
//	36 35 98:0 /mnt1 /mnt2 rw,noatime shared:5 master:1 - ext3 /dev/root rw
func tag(i *mountinfo.Info, prefix string) string {
	for word := range strings.FieldsSeq(i.Optional) {
		if value, found := strings.CutPrefix(word, prefix); found {
			return value
		}
	}
	return ""
}

// inOrder puts each mount after the one that it lies on. Who has no parent in the
// list is a root: the root of a process may lie within its namespace.
func inOrder(list []*mountinfo.Info) []Mount {
	known := map[int]bool{}
	for _, i := range list {
		known[i.ID] = true
	}
	children := map[int][]*mountinfo.Info{}
	var roots []*mountinfo.Info
	for _, i := range list {
		if known[i.Parent] && i.Parent != i.ID {
			children[i.Parent] = append(children[i.Parent], i)
		} else {
			roots = append(roots, i)
		}
	}
	var ordered []Mount
	var walk func(list []*mountinfo.Info, depth int)
	walk = func(list []*mountinfo.Info, depth int) {
		for _, i := range list {
			ordered = append(ordered, Mount{Info: i, Depth: depth})
			walk(children[i.ID], depth+1)
		}
	}
	walk(roots, 0)
	return ordered
}

// Root returns the mount that is the process's root: the topmost one on /.
func (m *Mounts) Root() (Mount, bool) {
	for _, mount := range slices.Backward(m.List) {
		if mount.Mountpoint == "/" {
			return mount, true
		}
	}
	return Mount{}, false
}

// Count returns how many mounts have a verdict.
func (m *Mounts) Count(v Verdict) int {
	count := 0
	for _, mount := range m.List {
		if mount.Verdict == v {
			count++
		}
	}
	return count
}
