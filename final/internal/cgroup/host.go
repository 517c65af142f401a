package cgroup

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Host is what compiling and making cgroups must know of a machine. All of it can
// be written down by hand, for a test or for `plan` on another machine.
type Host struct {
	Hierarchies []Hierarchy `json:"hierarchies"` // version 1 first
	// Rootless says that this process is not the machine's root: it is an ordinary
	// user or root of a user namespace, and device rules are not its to make.
	Rootless bool `json:"rootless,omitempty"`
	// Systemd says that systemd is the machine's first process.
	Systemd bool `json:"systemd,omitempty"`
}

// Hierarchy is one mounted tree of cgroups.
type Hierarchy struct {
	Version int    `json:"version"` // 1 or 2
	Mount   string `json:"mount"`   // /sys/fs/cgroup/memory
	Root    string `json:"root"`    // the cgroup that is seen at Mount
	Own     string `json:"own"`     // this process's cgroup, as in /proc/self/cgroup
	// Controllers are those of the mount or, of version 2, of its cgroup.controllers.
	// A named hierarchy of version 1 has one that limits nothing: name=systemd.
	Controllers []string `json:"controllers"`
}

// parseHost joins what two files say. A hierarchy is known by the type and the
// options of its super block, the last words of a line, never by its place:
//
//	35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory
//	41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
//
// The controllers of version 2 are in neither file. A hierarchy that is mounted
// twice counts once, the mount that shows this process's own cgroup first.
func parseHost(mountinfo, self string) (Host, error) {
	own, err := parseOwn(self)
	if err != nil {
		return Host{}, err
	}
	var v1, v2 []Hierarchy
	for line := range strings.Lines(mountinfo) {
		before, after, _ := strings.Cut(line, " - ")
		mount, super := strings.Fields(before), strings.Fields(after)
		if len(mount) < 5 || len(super) < 3 {
			continue
		}
		h := Hierarchy{Root: unescape(mount[3]), Mount: unescape(mount[4])}
		switch super[0] {
		case "cgroup":
			h.Version = 1
			if h.Controllers, h.Own = ownOf(super[2], own); h.Controllers != nil {
				v1 = keep(v1, h)
			}
		case "cgroup2":
			h.Version, h.Own = 2, own[""]
			v2 = keep(v2, h)
		}
	}
	return Host{Hierarchies: append(v1, v2...)}, nil
}

// keep appends a hierarchy, or replaces a mount of it that shows less.
func keep(list []Hierarchy, h Hierarchy) []Hierarchy {
	for i, other := range list {
		if slices.Equal(other.Controllers, h.Controllers) {
			if _, seen := other.OwnDir(); !seen {
				if _, sees := h.OwnDir(); sees {
					list[i] = h
				}
			}
			return list
		}
	}
	return append(list, h)
}

// parseOwn reads this process's cgroups, by their lists of controllers. Version 2
// has hierarchy 0 and an empty list:
//
//	9:name=systemd:/
//	4:cpu,cpuacct:/web
//	0::/user.slice
func parseOwn(text string) (map[string]string, error) {
	own := map[string]string{}
	for line := range strings.Lines(text) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(fields) != 3 {
			return nil, fmt.Errorf("read /proc/self/cgroup: %q has no three fields", line)
		}
		own[fields[1]] = fields[2]
	}
	return own, nil
}

// ownOf finds the list of controllers in /proc/self/cgroup of which each is an
// option of the super block; the other options (rw, xattr) are none.
func ownOf(superOptions string, own map[string]string) (controllers []string, path string) {
	options := strings.Split(superOptions, ",")
	for list, path := range own {
		names := strings.Split(list, ",")
		missing := func(name string) bool { return !slices.Contains(options, name) }
		if list != "" && !slices.ContainsFunc(names, missing) {
			return names, path
		}
	}
	return nil, ""
}

// unescape undoes what mountinfo does to blanks and backslashes in paths.
func unescape(path string) string {
	if !strings.Contains(path, `\`) {
		return path
	}
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(path)
}

// Version tells where a controller is: 1, 2, or 0 for nowhere.
func (h Host) Version(controller string) int {
	if i := h.find(controller); i >= 0 {
		return h.Hierarchies[i].Version
	}
	return 0
}

// find returns the index of the hierarchy that has a controller, or -1. Freezing
// and what cgroup.* files do is in every cgroup of version 2, without a controller.
func (h Host) find(controller string) int {
	i := slices.IndexFunc(h.Hierarchies, func(h Hierarchy) bool {
		return slices.Contains(h.Controllers, controller)
	})
	if i < 0 && isBuiltIn(controller) {
		i = slices.IndexFunc(h.Hierarchies, func(h Hierarchy) bool { return h.Version == 2 })
	}
	return i
}

// isBuiltIn tells what every cgroup of version 2 can do from its controllers.
func isBuiltIn(controller string) bool { return controller == "cgroup" || controller == "freezer" }

// OwnDir is the directory of this process's own cgroup; false if the mount does
// not show it.
func (h Hierarchy) OwnDir() (string, bool) {
	// Beginning with /.. a path is outside of our cgroup namespace.
	outside := strings.HasPrefix(h.Own, "/..") || strings.HasPrefix(h.Root, "/..")
	below, err := filepath.Rel(h.Root, h.Own)
	if outside || err != nil || below == ".." || strings.HasPrefix(below, "../") {
		return "", false
	}
	return filepath.Join(h.Mount, below), true
}

// missing says that no hierarchy has a controller, and where it was looked for.
func (h Host) missing(controller, from string) error {
	err := &MissingError{Controller: controller, From: from}
	for _, hierarchy := range h.Hierarchies {
		where := strings.Join(hierarchy.Controllers, " ")
		if hierarchy.Version == 2 {
			where = filepath.Join(hierarchy.Mount, "cgroup.controllers") + " (" + where + ")"
		} else {
			where = hierarchy.Mount + " (" + where + ")"
		}
		err.Looked = append(err.Looked, where)
	}
	return err
}

// MissingError says that this machine has no such controller.
type MissingError struct {
	Controller string
	From       string   // what asked for it
	Looked     []string // where it was looked for
}

func (e *MissingError) Error() string {
	looked := "no cgroup is mounted in /proc/self/mountinfo"
	if len(e.Looked) > 0 {
		looked = "not in " + strings.Join(e.Looked, ", ")
	}
	return fmt.Sprintf("%s needs the cgroup controller %s: %s", e.From, e.Controller, looked)
}
