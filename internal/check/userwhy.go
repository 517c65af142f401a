//go:build linux

package check

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"lab/internal/inspect"
)

// execBeforeMap is a diagnosis.
const execBeforeMap = "A child that was executed before its map was written has no " +
	"capabilities: it has to execute itself again once it is uid 0."

// rights show whether a child can be root of a user namespace.
type rights struct {
	apart    bool // whether it has a user namespace of its own
	maps     []inspect.Mapping
	uid      int // outside
	capable  bool
	notOwned string // a namespace that belongs to another user namespace
}

// noUserCause knows why a child did not become root of a user namespace.
func noUserCause(_ *Subject, r *remains) bool {
	if !slices.Contains(r.held.flags, "-user") || r.child == r.held.Program {
		return false
	}
	has, err := rightsOf(r.child)
	look := fmt.Sprintf("cat /proc/%d/uid_map", r.child)
	mapRefused := slices.ContainsFunc(r.failed, func(call Traced) bool {
		return call.Call == "write" && call.Errno == "EPERM" && strings.Contains(call.Text, "_map>")
	})
	switch {
	case err != nil:
		return false
	case !has.apart:
		r.f.Kernel += "; its child is in the host's user namespace"
		return r.names("no-clone-newuser", "The child was cloned without CLONE_NEWUSER, and ids "+
			"cannot be mapped in the host's own user namespace.", "readlink /proc/self/ns/user")
	case len(has.maps) == 0 && mapRefused:
		r.f.Kernel += "; the child's uid_map is empty"
		return r.names("map-written-by-child", "The child may not write its own map: the parent, "+
			"which is outside of the user namespace, has to write /proc/PID/uid_map.", look)
	case len(has.maps) == 0:
		r.f.Kernel += "; the child's uid_map is empty"
		return r.names("map-empty", "A user namespace without a map has no ids: the child is "+
			"nobody in it, and has no capabilities there.", look)
	case !covered(has.uid, has.maps):
		r.f.Kernel += fmt.Sprintf("; the child is uid %d outside, its uid_map %v",
			has.uid, has.maps)
		return r.names("child-not-in-map", "The child still has the uid of whoever started it, "+
			"for which the map has no name: it has to become uid 0 before it is executed.", look)
	case !has.capable:
		r.f.Kernel += "; the child's uid_map is written, and its CapEff is 0"
		return r.names("exec-before-map", execBeforeMap, look)
	case has.notOwned != "":
		r.f.Kernel += fmt.Sprintf("; the child's %s namespace belongs to another user namespace",
			has.notOwned)
		return r.names("namespace-not-owned", "Root of a user namespace has rights over the "+
			"namespaces that were made in it or with it: this one was made before, "+
			"or is the host's.",
			"lsns -o NS,TYPE,PID,ONS")
	}
	return false
}

// covered reports whether a map has an id of the outside.
func covered(id int, maps []inspect.Mapping) bool {
	return slices.ContainsFunc(maps, func(m inspect.Mapping) bool {
		return m.Outside <= id && id < m.Outside+m.Size
	})
}

// rightsOf reads them.
func rightsOf(pid int) (rights, error) {
	var has rights
	hosts, err := inspect.Namespace(os.Getpid(), "user")
	if err != nil {
		return has, err
	}
	user, err := inspect.Namespace(pid, "user")
	if err != nil {
		return has, err
	}
	status, err := inspect.ReadStatus(pid)
	if err != nil {
		return has, err
	}
	has.apart, has.uid, has.capable = user != hosts, status.UID[0], status.CapEff != 0
	if !has.apart {
		return has, nil
	}
	if has.maps, err = inspect.IDMap(pid, "uid"); err != nil {
		return has, err
	}
	for _, kind := range []string{"uts", "pid", "mnt", "net"} {
		owner, err := inspect.Owner(pid, kind)
		if err != nil {
			return has, err
		}
		if owner != user {
			has.notOwned = kind
		}
	}
	return has, nil
}
