package plan

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"lab/final/internal/cgroup"

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
	request, err := c.host.Cgroups.Request(l.CgroupsPath, c.id, limits)
	if err != nil {
		return err
	}
	places, err := c.host.Cgroups.Places(request)
	if err != nil {
		return err
	}
	op := MakeCgroup{Request: request}
	for _, p := range places {
		op.Dirs = append(op.Dirs, p.Dir)
	}
	c.places = places
	c.add(TitleCgroups, Runtime, "cgroup", op)
	for _, w := range limits.Writes {
		c.add(TitleCgroups, Runtime, "", WriteLimit{w, c.dirOf(w.Controller)})
	}
	if len(limits.Devices) > 0 {
		c.add(TitleCgroups, Runtime, "", FilterDevices{limits.Devices})
	}
	return nil
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

// joinCgroup compiles how init comes into its cgroup: of version 2 it is born there.
func (c *compiler) joinCgroup() {
	var old []string
	for _, p := range c.places {
		if p.Version == 1 {
			old = append(old, p.Dir)
		}
	}
	if len(old) > 0 {
		c.add(TitleCgroups, Runtime, "", JoinCgroup{old})
	}
}
