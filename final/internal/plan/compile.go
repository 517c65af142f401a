package plan

import (
	"path/filepath"

	"lab/final/internal/caps"
	"lab/final/internal/cgroup"
	"lab/final/internal/spec"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Host is what a plan depends on of the machine. All of it can be written down by
// hand, for a test or for another machine.
type Host struct {
	Cgroups  cgroup.Host `json:"cgroups"`
	Caps     caps.Set    `json:"caps"`               // those that the kernel knows
	Withheld caps.Set    `json:"withheld,omitempty"` // of these, what is not ours to give
	UID      uint32      `json:"uid"`                // who runs minirun
	Rootless bool        `json:"rootless"`           // without rights over the machine
}

// compiler is a plan in the making.
type compiler struct {
	id      string
	request *spec.Container
	config  *specs.Spec
	host    Host
	places  []cgroup.Place // the container's cgroup
	scope   *StartScope    // if it is systemd's to make
	ops     []Op

	warnings []string
}

// Compile says what makes the container, on a host. It touches nothing, and what it
// cannot do it refuses: the plan is whole or there is none.
func Compile(request *spec.Container, host Host) (Plan, error) {
	if err := spec.Check(request.Config); err != nil {
		return Plan{}, err
	}
	c := &compiler{id: request.ID, request: request, config: request.Config, host: host}
	for _, part := range []func(*compiler) error{
		(*compiler).limits,   // the cgroup, and what is written there
		(*compiler).birth,    // init, in its namespaces
		(*compiler).place,    // its session, its name
		(*compiler).root,     // its root, and all that is mounted there
		(*compiler).dev,      // its devices and terminal
		(*compiler).meet,     // hooks, while both roots can be seen
		(*compiler).restrict, // what it shall not see or change
		(*compiler).enter,    // the root becomes the root
		(*compiler).prepare,  // limits of the process; the program is found
	} {
		if err := part(c); err != nil {
			return Plan{}, err
		}
	}
	p := Plan{Create: c.ops}
	c.ops = nil
	if err := c.start(); err != nil {
		return Plan{}, err
	}
	p.Start, p.Warnings = c.ops, c.warnings
	return p, nil
}

// add appends an operation.
func (c *compiler) add(title string, side Side, slot string, do Action) {
	c.ops = append(c.ops, Op{Title: title, Side: side, Slot: slot, Do: do})
}

// orElse names what is done when the operation added last is refused.
func (c *compiler) orElse(errno string, do Action) {
	c.ops[len(c.ops)-1].Else = &Alternative{Errno: errno, Do: do}
}

// makes reports whether init gets a new namespace of a kind.
func (c *compiler) makes(kind specs.LinuxNamespaceType) bool {
	n, there := spec.Namespace(c.config, kind)
	return there && n.Path == ""
}

// path makes a path of the configuration absolute: it is relative to the bundle.
func (c *compiler) path(p string) string {
	if filepath.IsAbs(p) {
		return filepath.Clean(p)
	}
	return filepath.Join(c.request.Bundle, p)
}

// birth compiles how init comes to be.
func (c *compiler) birth() error {
	c.modules(c.config.Process)
	c.add(TitlePID, Runtime, "fd:binary", OpenBinary{})
	c.add(TitlePID, Runtime, "fd:start", Listen{})
	if c.config.Process.Terminal {
		c.add(TitlePID, Runtime, "fd:console", DialConsole{})
	}
	c.dialListener()
	if err := c.openTrees(); err != nil {
		return err
	}
	clone := Clone{Offsets: c.config.Linux.TimeOffsets}
	c.joinCgroup(&clone)
	for _, kind := range spec.Kinds() {
		n, there := spec.Namespace(c.config, kind)
		switch {
		case kind == specs.CgroupNamespace && c.scope != nil && n.Path == "":
			// Init makes it when it is in its cgroup.
		case there && n.Path == "":
			clone.Namespaces = append(clone.Namespaces, kind)
		case there:
			c.add(titleOf(kind), Runtime, "", Join{kind, n.Path})
		}
	}
	c.maps(&clone)
	c.add(TitlePID, Runtime, "pid:init", clone)
	if len(clone.UIDs) > 0 {
		c.add(TitleUser, Runtime, "", WriteMaps{clone.UIDs, clone.GIDs})
	}
	if score := c.config.Process.OOMScoreAdj; score != nil {
		c.add(TitleCgroups, Runtime, "", OOMScore{*score})
	}
	if c.scope != nil {
		c.startScope()
	}
	return nil
}

// dialListener compiles the way to who answers system calls: its path is the host's.
func (c *compiler) dialListener() {
	if s := c.config.Linux.Seccomp; s != nil && s.ListenerPath != "" {
		c.add(TitleUser, Runtime, "fd:listener", DialListener{s.ListenerPath})
	}
}

// maps says whom the ids of init's user namespace stand for.
func (c *compiler) maps(clone *Clone) {
	if c.makes(specs.UserNamespace) {
		clone.UIDs, clone.GIDs = c.config.Linux.UIDMappings, c.config.Linux.GIDMappings
		c.maker(clone, c.config.Process.User)
	}
}

// maker says who makes the container, or adds to it, whoever its command will be: root of
// its user namespace. Where that has no root it is somebody else with all capabilities.
func (c *compiler) maker(clone *Clone, user specs.User) {
	if c.makes(specs.UserNamespace) {
		clone.UID = oneOf(c.config.Linux.UIDMappings, user.UID)
		clone.GID = oneOf(c.config.Linux.GIDMappings, user.GID)
	}
}

// oneOf is an id that is mapped: 0, or the wanted one, or the first.
func oneOf(all []specs.LinuxIDMapping, wanted uint32) uint32 {
	switch {
	case has(all, 0):
		return 0
	case has(all, wanted):
		return wanted
	}
	return all[0].ContainerID
}

// has reports whether an id of the container is mapped.
func has(all []specs.LinuxIDMapping, id uint32) bool {
	for _, m := range all {
		if id >= m.ContainerID && uint64(id) < uint64(m.ContainerID)+uint64(m.Size) {
			return true
		}
	}
	return false
}

// titleOf is the part of the course that has a namespace.
func titleOf(kind specs.LinuxNamespaceType) string {
	switch kind {
	case specs.NetworkNamespace:
		return TitleNet
	case specs.UTSNamespace, specs.IPCNamespace:
		return TitleUTS
	case specs.CgroupNamespace:
		return TitleCgroups
	case specs.UserNamespace:
		return TitleUser
	case specs.MountNamespace:
		return TitleMount
	default:
		return TitlePID
	}
}

// place compiles init's session, keys and names.
func (c *compiler) place() error {
	c.add(TitlePID, Init, "", NewSession{})
	// What is made in the root has the mode that it is made with.
	c.add(TitleMount, Init, "", Umask{0})
	c.keyring()
	if c.config.Hostname != "" {
		c.add(TitleUTS, Init, "", Sethostname{c.config.Hostname})
	}
	if c.config.Domainname != "" {
		c.add(TitleUTS, Init, "", Setdomainname{c.config.Domainname})
	}
	return nil
}

// keyring compiles the container's session keyring, unless it keeps the caller's.
func (c *compiler) keyring() {
	if !c.request.NoNewKeyring {
		c.add(TitlePID, Init, "", NewKeyring{"_ses." + c.id})
		c.orElse("ENOSYS", nil)
	}
}

// meet compiles the hooks that run while the host's root can still be seen. Init waits
// for those of the runtime.
func (c *compiler) meet() error {
	h := c.config.Hooks
	if h == nil {
		return nil
	}
	early := h.Prestart //nolint:staticcheck // clients still write it
	if len(early)+len(h.CreateRuntime) > 0 {
		c.sync("the root is mounted")
		c.hooks(Runtime, "prestart", early)
		c.hooks(Runtime, "createRuntime", h.CreateRuntime)
		c.sync("go on")
	}
	if len(h.CreateContainer) > 0 {
		c.add(TitleExec, Init, "", Umask{defaultUmask})
		c.hooks(Init, "createContainer", h.CreateContainer)
	}
	return nil
}

// hooks compiles the hooks of one moment, if there are any.
func (c *compiler) hooks(side Side, name string, all []specs.Hook) {
	if len(all) > 0 {
		c.add(TitleExec, side, "", Hooks{name, all})
	}
}

// sync has both sides wait for each other.
func (c *compiler) sync(point string) {
	c.add(TitlePID, Init, "", Sync{point})
	c.add(TitlePID, Runtime, "", Sync{point})
}
