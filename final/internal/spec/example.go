package spec

import (
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Example is a configuration to begin with: a shell at a terminal, in a root file system
// beside the configuration.
func Example() *specs.Spec {
	rights := []string{"CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"}
	return &specs.Spec{
		Version: VersionMax, Hostname: "minirun",
		Root: &specs.Root{Path: "rootfs", Readonly: true},
		Process: &specs.Process{
			Terminal: true, Args: []string{"sh"}, Cwd: "/", NoNewPrivileges: true,
			Env: []string{
				"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
				"TERM=xterm",
			},
			Capabilities: &specs.LinuxCapabilities{
				Bounding: rights, Effective: rights, Permitted: rights,
			},
			Rlimits: []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 1024, Hard: 1024}},
		},
		Mounts: exampleMounts(),
		Linux: &specs.Linux{
			Resources: &specs.LinuxResources{
				Devices: []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}},
			},
			Namespaces: []specs.LinuxNamespace{
				{Type: specs.PIDNamespace},
				{Type: specs.NetworkNamespace},
				{Type: specs.IPCNamespace},
				{Type: specs.UTSNamespace},
				{Type: specs.MountNamespace},
				{Type: specs.CgroupNamespace},
			},
			MaskedPaths: []string{
				"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys",
				"/proc/latency_stats", "/proc/sched_debug", "/proc/scsi", "/proc/timer_list",
				"/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware",
			},
			ReadonlyPaths: []string{
				"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
			},
		},
	}
}

// exampleMounts are the kernel's own file systems, and two for temporary files.
func exampleMounts() []specs.Mount {
	return []specs.Mount{
		{
			Destination: "/proc", Type: "proc", Source: "proc",
			Options: []string{"nosuid", "noexec", "nodev"},
		},
		{
			Destination: "/dev", Type: "tmpfs", Source: "tmpfs",
			Options: []string{"nosuid", "strictatime", "mode=755", "size=65536k"},
		},
		{
			Destination: "/dev/pts", Type: "devpts", Source: "devpts",
			Options: []string{
				"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5",
			},
		},
		{
			Destination: "/dev/shm", Type: "tmpfs", Source: "shm",
			Options: []string{"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"},
		},
		{
			Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue",
			Options: []string{"nosuid", "noexec", "nodev"},
		},
		{
			Destination: "/sys", Type: "sysfs", Source: "sysfs",
			Options: []string{"nosuid", "noexec", "nodev", "ro"},
		},
		{
			Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup",
			Options: []string{"nosuid", "noexec", "nodev", "relatime", "ro"},
		},
	}
}

// ExampleRootless is Example for a user who is nobody in particular: root of a user
// namespace, without limits, with the host's network.
func ExampleRootless(uid, gid int) *specs.Spec {
	c := Example()
	c.Linux.Resources = nil
	isNetwork := func(n specs.LinuxNamespace) bool { return n.Type == specs.NetworkNamespace }
	c.Linux.Namespaces = append(slices.DeleteFunc(c.Linux.Namespaces, isNetwork),
		specs.LinuxNamespace{Type: specs.UserNamespace})
	c.Linux.UIDMappings = []specs.LinuxIDMapping{{HostID: uint32(uid), Size: 1}}
	c.Linux.GIDMappings = []specs.LinuxIDMapping{{HostID: uint32(gid), Size: 1}}
	isCgroup := func(m specs.Mount) bool { return m.Type == "cgroup" }
	c.Mounts = slices.DeleteFunc(c.Mounts, isCgroup)
	for i := range c.Mounts {
		// The group of terminals is not mapped.
		hasGroup := func(word string) bool { return word == "gid=5" }
		c.Mounts[i].Options = slices.DeleteFunc(c.Mounts[i].Options, hasGroup)
	}
	return c
}
