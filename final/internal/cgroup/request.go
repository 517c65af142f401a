package cgroup

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Request says which cgroup is to be made.
type Request struct {
	Path string `json:"path"` // clean, begins with /
	// Relative says below which directory Path is: this process's own cgroup in
	// each hierarchy, else the mount.
	Relative bool `json:"relative,omitempty"`
	// Needed are the controllers without which it must not be made.
	Needed []string `json:"needed,omitempty"`
	// Wished are joined where the machine has them.
	Wished []string `json:"wished,omitempty"`
	// Mark is something that no other container's cgroup is marked with.
	Mark string `json:"-"`
}

// Request says which cgroup a container gets: the one that cgroupsPath names,
// absolute below the mount or relative to our own cgroup, else one of the
// container's own name (runtime-spec, config-linux.md, "Cgroups Path").
//
// Of version 1 only those hierarchies are joined that are needed: for the limits and
// to freeze. A client that names a path will look there for what the container
// uses, so then also those that count.
func (h Host) Request(cgroupsPath, id string, l Limits) (Request, error) {
	r := Request{Path: cgroupsPath, Needed: l.Needed, Wished: []string{"freezer"}}
	if cgroupsPath == "" {
		r.Path, r.Relative = "minirun-"+id, h.Rootless
	} else {
		r.Relative = !path.IsAbs(cgroupsPath)
		r.Wished = append(r.Wished, accounting()...)
	}
	if strings.ContainsRune(r.Path, 0) {
		return Request{}, fmt.Errorf("cgroupsPath %q: holds a zero byte", cgroupsPath)
	}
	r.Path = path.Clean("/" + r.Path)
	if r.Path == "/" {
		return Request{}, fmt.Errorf("cgroupsPath %q: that cgroup is not a container's",
			cgroupsPath)
	}
	return r, nil
}

// Everywhere makes it a request for a cgroup in each hierarchy. A container that may write
// to what it sees of them, as systemd in it wants, would else do so in the host's own
// cgroup wherever it has none.
func (r *Request) Everywhere(h Host) {
	for _, hierarchy := range h.Hierarchies {
		if hierarchy.Version == 1 {
			r.Wished = append(r.Wished, hierarchy.Controllers...)
		}
	}
	r.Wished = append(r.Wished, "cgroup") // version 2, also without a controller
}

// accounting lists the controllers that tell what a container uses, by their names
// on version 1 and 2.
func accounting() []string {
	return []string{"memory", "cpu", "cpuacct", "pids", "blkio", "io"}
}

// Places says which hierarchies a request comes to on this host, and where in them
// the cgroup will be. It touches nothing.
func (h Host) Places(r Request) ([]Place, error) {
	for _, name := range r.Needed {
		if h.find(name) < 0 {
			return nil, h.missing(name, "cgroup "+r.Path)
		}
	}
	var places []Place
	for i := range h.Hierarchies {
		p, err := h.placeIn(i, r)
		if err != nil {
			return nil, err
		}
		if len(p.Controllers) > 0 {
			places = append(places, p)
		}
	}
	if len(places) == 0 {
		return nil, fmt.Errorf("cgroup %s: no cgroup is mounted in /proc/self/mountinfo", r.Path)
	}
	return places, nil
}

// placeIn is the place in one hierarchy: without controllers if none is asked for.
func (h Host) placeIn(i int, r Request) (Place, error) {
	hierarchy := h.Hierarchies[i]
	p := Place{
		Version: hierarchy.Version, Mount: hierarchy.Mount, Root: hierarchy.Root, Mark: r.Mark,
	}
	for _, name := range slices.Concat(r.Needed, r.Wished) {
		if h.find(name) == i && !slices.Contains(p.Controllers, name) {
			p.Controllers = append(p.Controllers, name)
		}
	}
	own, seen := hierarchy.OwnDir()
	if seen && hierarchy.Version == 2 {
		p.Own = own
	}
	switch {
	case !r.Relative:
		p.Dir = path.Join(hierarchy.Mount, r.Path)
	case seen:
		p.Dir = path.Join(own, r.Path)
	case len(p.Controllers) > 0:
		return Place{}, fmt.Errorf("cgroup %s: our own cgroup %s, to which it is relative, "+
			"is not below the mount %s", r.Path, hierarchy.Own, hierarchy.Mount)
	}
	return p, nil
}
