package plan

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"lab/final/internal/cgroup"
	"lab/final/internal/spec"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// MakeCgroup makes the container's cgroup in each hierarchy that it needs.
type MakeCgroup struct {
	Request cgroup.Request `json:"request"`
	Dirs    []string       `json:"dirs"`
}

// Words tell about it.
func (m MakeCgroup) Words() Words {
	var call []string
	for _, dir := range m.Dirs {
		call = append(call, fmt.Sprintf("mkdir(%q, 0755)", dir))
	}
	return Words{
		Does: "make the cgroup " + m.Request.Path, Call: strings.Join(call, "; "),
		Shell: "mkdir -p " + strings.Join(m.Dirs, " "), Man: "cgroups(7)",
		Undo: "rmdir " + strings.Join(m.Dirs, " "),
	}
}

// StartScope has systemd make the container's cgroup around init, which waits meanwhile.
type StartScope struct {
	Scope   cgroup.Scope   `json:"scope"`
	Request cgroup.Request `json:"request"`
	Limits  cgroup.Limits  `json:"-"` // each is an operation, too
}

// Words tell about it.
func (s StartScope) Words() Words {
	slice, unit := s.Scope.Slice, s.Scope.Unit
	return Words{
		Does:  fmt.Sprintf("have systemd start %s in %s", unit, slice),
		Call:  fmt.Sprintf("StartTransientUnit(%q, \"replace\", PIDs=[INIT], …)", unit),
		Shell: fmt.Sprintf("systemd-run --scope --slice %s --unit %s …", slice, unit),
		Man:   "systemd.scope(5)",
		Undo:  "systemctl stop " + unit,
	}
}

// UnshareCgroup makes a cgroup namespace, which begins where the process is: once init is
// in its scope.
type UnshareCgroup struct{}

// Words tell about it.
func (UnshareCgroup) Words() Words {
	return Words{
		Does: "make a cgroup namespace", Call: "unshare(CLONE_NEWCGROUP)",
		Shell: "unshare --cgroup …", Man: "cgroup_namespaces(7)",
	}
}

// WriteLimit writes one value into a file of the container's cgroup.
type WriteLimit struct {
	cgroup.Write
	Dir string `json:"dir"`
}

// Words tell about it.
func (w WriteLimit) Words() Words {
	file := filepath.Join(w.Dir, w.File)
	return Words{
		Does:  fmt.Sprintf("write %s to %s", w.Value, w.File),
		Call:  fmt.Sprintf("write(open(%q), %q)", file, w.Value),
		Shell: fmt.Sprintf("echo %s > %s", w.Value, file),
		Man:   "cgroups(7)",
	}
}

// FilterDevices attaches a program to a cgroup of version 2 that says which devices
// may be opened and made.
type FilterDevices struct {
	Rules []cgroup.Rule `json:"rules"`
}

// Words tell about it.
func (f FilterDevices) Words() Words {
	return Words{
		Does: fmt.Sprintf("filter devices by %d rules", len(f.Rules)),
		Call: "bpf(BPF_PROG_LOAD, BPF_PROG_TYPE_CGROUP_DEVICE); " +
			"bpf(BPF_PROG_ATTACH, BPF_CGROUP_DEVICE)",
		Man: "bpf(2)",
	}
}

// OwnCgroup gives a cgroup of version 2 to who is the command's user on the host.
type OwnCgroup struct {
	UID uint32 `json:"uid"`
	Dir string `json:"dir"`
}

// Words tell about it.
func (o OwnCgroup) Words() Words {
	return Words{
		Does:  fmt.Sprintf("let user %d make cgroups below", o.UID),
		Call:  fmt.Sprintf("chown(%q, %d, -1); chown(\"…/cgroup.procs\", …)", o.Dir, o.UID),
		Shell: fmt.Sprintf("chown %d %[2]s %[2]s/cgroup.procs …", o.UID, o.Dir),
		Man:   "cgroups(7)",
	}
}

// JoinCgroup joins the hierarchies of version 1: the process that clones init writes
// itself there first. Of version 2 init is born in its cgroup.
type JoinCgroup struct {
	Dirs []string `json:"dirs"`
}

// Words tell about it.
func (j JoinCgroup) Words() Words {
	calls := make([]string, len(j.Dirs))
	for i, dir := range j.Dirs {
		calls[i] = fmt.Sprintf("write(open(%q), \"0\")", dir+"/tasks")
	}
	return Words{
		Does: "join the cgroup", Call: strings.Join(calls, "; "),
		Shell: "echo 0 | tee " + strings.Join(j.Dirs, "/tasks ") + "/tasks",
		Man:   "cgroups(7)",
	}
}

// limits compiles the container's cgroup, if it gets one: without a path and without
// resources there is none.
func (c *compiler) limits() error {
	l := c.config.Linux
	if l.CgroupsPath == "" && isEmpty(l.Resources) {
		return nil
	}
	limits, err := cgroup.Compile(l.Resources, c.host.Cgroups)
	if err != nil {
		return err
	}
	var op MakeCgroup
	if c.request.SystemdCgroup {
		c.scope = &StartScope{Limits: limits}
		c.scope.Scope, op.Request, err = c.host.Cgroups.Scope(l.CgroupsPath, c.id, limits)
		c.scope.Request = op.Request
	} else {
		op.Request, err = c.host.Cgroups.Request(l.CgroupsPath, c.id, limits)
		if c.writesCgroups() {
			op.Request.Everywhere(c.host.Cgroups)
		}
	}
	if err != nil {
		return err
	}
	if c.places, err = c.host.Cgroups.Places(op.Request); err != nil || c.scope != nil {
		return err
	}
	for _, p := range c.places {
		op.Dirs = append(op.Dirs, p.Dir)
	}
	c.add(TitleCgroups, Runtime, "cgroup", op)
	c.write(limits)
	return nil
}

// write compiles what is written into the cgroup.
func (c *compiler) write(limits cgroup.Limits) {
	for _, w := range limits.Writes {
		c.add(TitleCgroups, Runtime, "", WriteLimit{w, c.dirOf(w.Controller)})
	}
	if len(limits.Devices) > 0 {
		c.add(TitleCgroups, Runtime, "", FilterDevices{limits.Devices})
	}
	if uid, asked := c.owner(); asked {
		c.add(TitleCgroups, Runtime, "", OwnCgroup{uid, c.dirOf("cgroup")})
	}
}

// owner is to whom the container's cgroup of version 2 is to be given, if to anybody else
// than us: to the command's user, if that sees it in a cgroup namespace of its own and may
// write there (config-linux.md, "Cgroup ownership"). An ordinary user cannot give.
func (c *compiler) owner() (uid uint32, asked bool) {
	uid = c.config.Process.User.UID
	if c.makes(specs.UserNamespace) {
		i := slices.IndexFunc(c.config.Linux.UIDMappings, func(m specs.LinuxIDMapping) bool {
			return uid >= m.ContainerID && uid-m.ContainerID < m.Size
		})
		if i < 0 {
			return 0, false
		}
		m := c.config.Linux.UIDMappings[i]
		uid = m.HostID + uid - m.ContainerID
	} else if _, joins := spec.Namespace(c.config, specs.UserNamespace); joins {
		return 0, false
	}
	isV2 := slices.ContainsFunc(c.places, func(p cgroup.Place) bool { return p.Version == 2 })
	may := uid != c.host.UID && c.host.UID == 0
	return uid, may && isV2 && c.writesCgroups() && c.makes(specs.CgroupNamespace)
}

// writesCgroups reports whether the container sees cgroups where it may write to them.
func (c *compiler) writesCgroups() bool {
	return slices.ContainsFunc(c.config.Mounts, func(m specs.Mount) bool {
		isCgroup := m.Type == "cgroup" || m.Type == "cgroup2"
		return isCgroup && !slices.Contains(m.Options, "ro")
	})
}

// startScope compiles how init, which is there already, comes into a cgroup of systemd's.
func (c *compiler) startScope() {
	c.add(TitleCgroups, Runtime, "cgroup", *c.scope)
	c.write(c.scope.Limits)
	c.sync("in its cgroup")
	if c.makes(specs.CgroupNamespace) {
		c.add(TitleCgroups, Init, "", UnshareCgroup{})
	}
}

// isEmpty reports whether nothing is limited.
func isEmpty(r *specs.LinuxResources) bool {
	return r == nil || len(r.Devices) == 0 && r.Memory == nil && r.CPU == nil && r.Pids == nil &&
		r.BlockIO == nil && len(r.HugepageLimits) == 0 && r.Network == nil &&
		len(r.Rdma) == 0 && len(r.Unified) == 0
}

// dirOf returns the container's directory for a controller.
func (c *compiler) dirOf(controller string) string {
	for _, p := range c.places {
		if slices.Contains(p.Controllers, controller) {
			return p.Dir
		}
	}
	for _, p := range c.places {
		if p.Version == 2 {
			return p.Dir
		}
	}
	return ""
}

// joinCgroup compiles how init comes into its cgroup: of version 2 it is born there, and a
// scope of systemd's comes to it.
func (c *compiler) joinCgroup(clone *Clone) {
	if c.scope != nil {
		return
	}
	var old []string
	for _, p := range c.places {
		if p.Version == 1 {
			old = append(old, p.Dir)
		} else {
			clone.IntoCgroup = true
		}
	}
	if len(old) > 0 {
		c.add(TitleCgroups, Runtime, "", JoinCgroup{old})
	}
}
