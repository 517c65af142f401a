//go:build linux

package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"lab/final/internal/cgroup"
)

// cpuPeriod is in how many microseconds the time of --cpus is given out.
const cpuPeriod = 100_000

// resources are a container's limits; nil if it has none.
func (h *HostConfig) resources() (*specs.LinuxResources, error) {
	blockIO, err := h.blockIO()
	r := &specs.LinuxResources{Memory: h.memory(), CPU: h.cpu(), BlockIO: blockIO}
	if h.PidsLimit != 0 {
		r.Pids = &specs.LinuxPids{Limit: &h.PidsLimit}
	}
	if r.Memory == nil && r.CPU == nil && r.Pids == nil && r.BlockIO == nil {
		return nil, err
	}
	return r, err
}

// hasLimits reports whether a container is to have limits.
func (h *HostConfig) hasLimits() bool {
	r, err := h.resources()
	return r != nil || err != nil
}

// memory are the limits of memory. Without a word about swap there is as much of it as
// of memory.
func (h *HostConfig) memory() *specs.LinuxMemory {
	if h.Memory == 0 {
		return nil
	}
	limit, both := h.Memory, h.MemorySwap
	if both == 0 {
		both = 2 * limit
	}
	return &specs.LinuxMemory{Limit: &limit, Swap: &both}
}

// cpu are the limits of processors.
func (h *HostConfig) cpu() *specs.LinuxCPU {
	c := &specs.LinuxCPU{Cpus: h.CpusetCpus, Mems: h.CpusetMems}
	period, quota, shares := h.CPUPeriod, h.CPUQuota, h.CPUShares
	if h.NanoCpus > 0 {
		period, quota = cpuPeriod, h.NanoCpus*cpuPeriod/1e9
	}
	if period > 0 {
		c.Period = &period
	}
	if quota != 0 {
		c.Quota = &quota
	}
	if shares > 0 {
		c.Shares = &shares
	}
	if *c == (specs.LinuxCPU{Cpus: "", Mems: ""}) {
		return nil
	}
	return c
}

// check refuses limits that contradict each other.
func (h *HostConfig) check() error {
	const least = 6 << 20 // what docker demands
	switch {
	case h.Memory != 0 && h.Memory < least:
		return fmt.Errorf("--memory %d: less than 6 MiB is not enough to start", h.Memory)
	case h.MemorySwap > 0 && h.Memory == 0:
		return fmt.Errorf("--memory-swap %d: it counts memory, too, so --memory is needed",
			h.MemorySwap)
	case h.MemorySwap > 0 && h.MemorySwap < h.Memory:
		return fmt.Errorf("--memory-swap %d: it counts memory, too, which is %d", h.MemorySwap,
			h.Memory)
	case h.NanoCpus > 0 && (h.CPUQuota != 0 || h.CPUPeriod != 0):
		return errors.New("--cpus: --cpu-period and --cpu-quota say the same")
	}
	return h.checkRights()
}

// cgroupPrefix begins the name of each container's cgroup in the cgroup above all.
const cgroupPrefix = "mini-"

// dropCgroup removes the cgroup of a container of which its runtime has nothing any more.
// There is none, unless the runtime was killed.
func (e *Engine) dropCgroup(id string) error {
	if !e.ids.all() {
		return nil
	}
	host, err := cgroup.ReadHost()
	if err != nil {
		return err
	}
	return host.Discard("/" + cgroupPrefix + id)
}

// limit adds the limits, devices and namespaces that were asked for to a configuration.
func (e *Engine) limit(c *Container, spec *specs.Spec) error {
	h := &c.HostConfig
	limits, err := h.resources()
	if err != nil {
		return err
	}
	if e.ids.all() {
		// Device rules and cgroups of any name are for the machine's root.
		spec.Linux.CgroupsPath = "/" + cgroupPrefix + c.ID
		if limits == nil {
			limits = &specs.LinuxResources{}
		}
		limits.Devices = deviceRules()
	}
	if c.wantsScope() {
		spec.Linux.CgroupsPath = "user.slice:mini:" + c.ID
	}
	spec.Linux.Resources, spec.Linux.Sysctl = limits, h.Sysctls
	for _, u := range h.Ulimits {
		spec.Process.Rlimits = append(spec.Process.Rlimits, specs.POSIXRlimit{
			Type: "RLIMIT_" + strings.ToUpper(u.Name), Soft: u.Soft, Hard: u.Hard,
		})
	}
	if err := addDevices(spec, h.Devices); err != nil {
		return err
	}
	if slices.Contains(h.SecurityOpt, writableCgroups) {
		makeWritable(spec, "cgroup")
	}
	if h.Privileged {
		return e.privilege(spec)
	}
	return nil
}

// makeWritable lets a container write where a kind of file system is mounted.
func makeWritable(spec *specs.Spec, kind string) {
	for i := range spec.Mounts {
		if m := &spec.Mounts[i]; m.Type == kind {
			m.Options = slices.DeleteFunc(m.Options, func(o string) bool { return o == "ro" })
		}
	}
}

// addDevices adds devices of the host's.
func addDevices(spec *specs.Spec, devices []Device) error {
	for _, d := range devices {
		node, err := deviceNode(d.PathOnHost, d.PathInContainer)
		if err != nil {
			return fmt.Errorf("device %s: %w", d.PathOnHost, err)
		}
		spec.Linux.Devices = append(spec.Linux.Devices, node)
		if spec.Linux.Resources != nil && spec.Linux.Resources.Devices != nil {
			rule := specs.LinuxDeviceCgroup{
				Allow: true, Type: node.Type, Major: &node.Major, Minor: &node.Minor,
				Access: d.CgroupPermissions,
			}
			spec.Linux.Resources.Devices = append(spec.Linux.Resources.Devices, rule)
		}
	}
	return nil
}

// deviceNode describes a device of the host's.
func deviceNode(path, inside string) (specs.LinuxDevice, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return specs.LinuxDevice{}, err
	}
	kind := map[uint32]string{unix.S_IFCHR: "c", unix.S_IFBLK: "b"}[st.Mode&unix.S_IFMT]
	if kind == "" {
		return specs.LinuxDevice{}, unix.ENODEV
	}
	mode := os.FileMode(st.Mode & 0o777)
	return specs.LinuxDevice{
		Path: inside, Type: kind, Major: int64(unix.Major(st.Rdev)),
		Minor: int64(unix.Minor(st.Rdev)), FileMode: &mode, UID: &st.Uid, GID: &st.Gid,
	}, nil
}

// privilege takes away what keeps a container from the host's devices and settings.
func (e *Engine) privilege(spec *specs.Spec) error {
	spec.Linux.MaskedPaths, spec.Linux.ReadonlyPaths = nil, nil
	makeWritable(spec, "sysfs")
	makeWritable(spec, "cgroup")
	if !e.ids.all() {
		return nil // no device can be made in a user namespace
	}
	spec.Linux.Resources.Devices = []specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}}
	entries, err := os.ReadDir("/dev")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		path := filepath.Join("/dev", entry.Name())
		if entry.Type()&os.ModeDevice == 0 || entry.Name() == "console" {
			continue
		}
		node, err := deviceNode(path, path)
		if err == nil && !isOrdinary(node) {
			spec.Linux.Devices = append(spec.Linux.Devices, node)
		}
	}
	return nil
}

// isOrdinary reports whether a runtime makes a device for every container.
func isOrdinary(node specs.LinuxDevice) bool {
	return slices.Contains([]string{
		"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty",
		"/dev/ptmx",
	}, node.Path)
}
