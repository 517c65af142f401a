package plan

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"lab/final/internal/device"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// root compiles the root file system and what is mounted in it.
func (c *compiler) root() error {
	c.add(TitleMount, Init, "", Propagate{Flags: c.parting()})
	bind := BindRoot{Path: c.path(c.config.Root.Path)}
	if c.opensAhead() && !c.request.NoPivot {
		bind.From = RootTree
	}
	c.add(TitleMount, Init, "fd:root", bind)
	for i, m := range c.config.Mounts {
		if err := c.mount(i, m); err != nil {
			return fmt.Errorf(".mounts[%d]: %s: %w", i, m.Destination, err)
		}
	}
	if cwd := path.Clean(c.config.Process.Cwd); cwd != "/" {
		c.add(TitleMount, Init, "", MakeDir{cwd})
	}
	return nil
}

// parting is how the container's mounts are parted from those they are copies of.
func (c *compiler) parting() uintptr {
	flags := uintptr(unix.MS_REC | unix.MS_SLAVE)
	if p := c.config.Linux.RootfsPropagation; p != "" {
		// A shared root is made so at the end: pivot_root(2) refuses one.
		if asked := propagation(p); asked&unix.MS_SHARED == 0 {
			flags = asked | unix.MS_REC
		}
	}
	if flags&unix.MS_UNBINDABLE != 0 {
		flags = unix.MS_REC | unix.MS_PRIVATE // the root itself has to be bound yet
	}
	return flags
}

// mount compiles one entry of mounts.
func (c *compiler) mount(i int, m specs.Mount) error {
	h, err := sortOptions(m.Options)
	if err != nil {
		return err
	}
	target := path.Clean("/" + m.Destination)
	if h.bind || m.Type == "bind" {
		if m.Source == "" {
			return errors.New("a bind mount without a source")
		}
		bind := Bind{
			Source: c.path(m.Source), Target: target, Recursive: h.recursive,
			Attrs: h.attrs, Tree: h.tree, Propagation: h.propagation,
		}
		if mapped(m, h) || c.opensAhead() {
			bind.From = TreeSlot(i)
		}
		c.add(TitleVolumes, Init, "", bind)
		return nil
	}
	if h.tree != (Attrs{}) {
		return fmt.Errorf("options for all mounts below are for binds, this is a new %s", m.Type)
	}
	kind := cmp.Or(m.Type, "none")
	if kind == "cgroup" || kind == "cgroup2" {
		return c.mountCgroups(target, h)
	}
	if h.copyUp && kind != "tmpfs" {
		return fmt.Errorf("option \"tmpcopyup\": this is no tmpfs but %s", kind)
	}
	c.add(TitleMount, Init, "", Mount{
		Type: kind, Source: cmp.Or(m.Source, kind), Target: target, Flags: h.flags,
		Data: joined(c.labeled(kind, h.data)), Propagation: h.propagation, CopyUp: h.copyUp,
	})
	if kind == "sysfs" {
		// A sysfs shows a network namespace, and is refused to who has no rights there.
		c.orElse("EPERM", BindHost{Path: "/sys", Target: target, Readonly: true})
	}
	return nil
}

// joined is a file system's own options as mount(2) takes them.
func joined(data []string) string {
	return strings.Join(data, ",")
}

// mountCgroups compiles the view of the cgroups: version 2's one tree, or a directory
// of version 1's many.
func (c *compiler) mountCgroups(target string, h how) error {
	hierarchies := c.host.Cgroups.Hierarchies
	if len(hierarchies) == 0 {
		return errors.New("this machine has no cgroups mounted")
	}
	flags := h.flags | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	if hierarchies[0].Version == 2 {
		c.mountCgroup(0, target, flags)
		return nil
	}
	c.add(TitleCgroups, Init, "", Mount{
		Type: "tmpfs", Source: "cgroup", Target: target, Data: "mode=755",
		Flags: flags &^ unix.MS_RDONLY, Propagation: h.propagation,
	})
	for i, hierarchy := range hierarchies {
		name := path.Base(hierarchy.Mount)
		c.mountCgroup(i, path.Join(target, name), flags)
		// cpu → cpu,cpuacct, as systemd has it.
		for _, controller := range hierarchy.Controllers {
			if hierarchy.Version == 1 && len(hierarchy.Controllers) > 1 && controller != name {
				c.add(TitleCgroups, Init, "", Link{device.Link{
					Path: path.Join(target, controller), Target: name,
				}})
			}
		}
	}
	if flags&unix.MS_RDONLY != 0 {
		c.add(TitleCgroups, Init, "", ReadonlyMount{target})
	}
	return nil
}

// mountCgroup compiles the view of one hierarchy: with a cgroup namespace a mount of
// its own, which begins at the container's cgroup; else that cgroup's directory.
func (c *compiler) mountCgroup(index int, target string, flags uintptr) {
	hierarchy := c.host.Cgroups.Hierarchies[index]
	dir, seen := hierarchy.OwnDir()
	if !seen {
		dir = hierarchy.Mount
	}
	for _, p := range c.places {
		if p.Mount == hierarchy.Mount {
			dir = p.Dir
		}
	}
	attrs := Attrs{Set: unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC}
	if flags&unix.MS_RDONLY != 0 {
		attrs.Set |= unix.MOUNT_ATTR_RDONLY
	}
	bind := Bind{Source: dir, Target: target, Attrs: attrs}
	// Where the host's /sys is bound with all that is in it, version 2 is there already, and
	// the kernel mounts no file system twice at one place (EBUSY).
	twice := hierarchy.Version == 2 && c.isBound("/sys")
	if twice || !c.makes(specs.CgroupNamespace) {
		c.add(TitleCgroups, Init, "", bind)
		return
	}
	m := Mount{Type: "cgroup2", Source: "cgroup", Target: target, Flags: flags}
	if hierarchy.Version == 1 {
		m.Type, m.Data = "cgroup", joined(hierarchy.Controllers)
	}
	c.add(TitleCgroups, Init, "", m)
	c.orElse("EPERM", bind)
}

// dev compiles the device files and the terminal. A /dev of the host's has them.
func (c *compiler) dev() error {
	nodes := device.Defaults()
	for _, given := range c.config.Linux.Devices {
		node, err := device.FromSpec(given)
		if err != nil {
			return err
		}
		same := func(n device.Node) bool { return n.Path == node.Path }
		nodes = append(slices.DeleteFunc(nodes, same), node)
	}
	if c.isBound("/dev") {
		nodes = nil
	}
	for _, node := range nodes {
		if c.host.Rootless || c.makes(specs.UserNamespace) {
			c.add(TitleMount, Init, "", BindNode{node})
			continue
		}
		c.add(TitleMount, Init, "", Node{node})
		c.orElse("EPERM", BindNode{node})
	}
	if !c.isBound("/dev") {
		for _, link := range device.Links() {
			c.add(TitleMount, Init, "", Link{link})
		}
	}
	if c.config.Process.Terminal {
		c.terminal(c.config.Process, !c.isBound("/dev"))
	}
	return nil
}

// terminal compiles the terminal of a process; with dev it is /dev/console, too.
func (c *compiler) terminal(p *specs.Process, dev bool) {
	op := Console{Dev: dev, UID: p.User.UID}
	if size := p.ConsoleSize; size != nil {
		op.Rows, op.Cols = uint16(min(size.Height, 1<<16-1)), uint16(min(size.Width, 1<<16-1))
	}
	c.add(TitleMount, Init, "", op)
}

// isBound reports whether a directory, such as /dev, is one of the host's.
func (c *compiler) isBound(dir string) bool {
	for _, m := range c.config.Mounts {
		if path.Clean("/"+m.Destination) == dir {
			h, err := sortOptions(m.Options)
			return err == nil && (h.bind || m.Type == "bind")
		}
	}
	return false
}

// restrict compiles what the container shall not see or change.
func (c *compiler) restrict() error {
	l := c.config.Linux
	for _, key := range slices.Sorted(maps.Keys(l.Sysctl)) {
		c.add(TitleUTS, Init, "", Sysctl{key, l.Sysctl[key]})
	}
	for _, name := range l.ReadonlyPaths {
		c.add(TitleMount, Init, "", Protect{path.Clean(name)})
	}
	for _, name := range l.MaskedPaths {
		c.add(TitleMount, Init, "", Mask{path.Clean(name)})
	}
	if c.config.Root.Readonly {
		c.add(TitleMount, Init, "", ReadonlyMount{"/"})
	}
	return nil
}

// enter compiles how the root becomes the root.
func (c *compiler) enter() error {
	if c.request.NoPivot {
		c.add(TitleMount, Init, "", MoveRoot{})
	} else {
		c.add(TitleMount, Init, "", PivotRoot{})
	}
	if p := c.config.Linux.RootfsPropagation; p != "" {
		c.add(TitleMount, Init, "", Propagate{Flags: propagation(p), Late: true})
	}
	return nil
}
