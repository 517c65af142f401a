package cgroup

import (
	"fmt"
	"slices"
)

// subtreeControl is version 2's file of the controllers that a cgroup hands on.
const subtreeControl = "cgroup.subtree_control"

// Cgroup is a container's cgroup: one directory in each hierarchy that it needs. It
// is kept in the container's state as JSON, and all its methods work on what was
// read back.
type Cgroup struct {
	Path   string  `json:"path"`
	Places []Place `json:"places"`
	// Made says that Make has made it. What a runtime has only noted, in case that it is
	// killed on the way, may be somebody else's cgroup: without this container's mark on
	// it nothing there is killed or removed.
	Made bool `json:"made,omitempty"`
	// Scope is the unit of systemd's that it belongs to, if any.
	Scope *Scope `json:"scope,omitempty"`
}

// Place is the container's directory in one hierarchy.
type Place struct {
	Version     int      `json:"version"`
	Mount       string   `json:"mount"`
	Root        string   `json:"root"` // the cgroup that is seen at Mount
	Dir         string   `json:"dir"`
	Controllers []string `json:"controllers"` // those used here
	// Made are the directories that Make has made, from the top down: Dir and
	// those above that were missing.
	Made []string `json:"made,omitempty"`
	Mark string   `json:"mark,omitempty"` // by which the kernel's directory is known for ours
	// Own is the cgroup of version 2 that this process was in.
	Own string `json:"own,omitempty"`
	// Room is a cgroup beside the container's into which this process went to make
	// room, and Handed are the controllers that Own hands on since.
	Room   string   `json:"room,omitempty"`
	Handed []string `json:"handed,omitempty"`
}

// place finds where a controller is.
func (c *Cgroup) place(controller string) (Place, error) {
	for _, p := range c.Places {
		if slices.Contains(p.Controllers, controller) {
			return p, nil
		}
	}
	for _, p := range c.Places {
		if p.Version == 2 && isBuiltIn(controller) {
			return p, nil
		}
	}
	return Place{}, fmt.Errorf("cgroup %s: the container has not joined the controller %s",
		c.Path, controller)
}

// main is the place in which to look for the container's processes: they are the
// same in all.
func (c *Cgroup) main() (Place, error) {
	if p, err := c.place("freezer"); err == nil {
		return p, nil
	}
	if len(c.Places) == 0 {
		return Place{}, fmt.Errorf("cgroup %s: it is in no hierarchy", c.Path)
	}
	return c.Places[0], nil
}
