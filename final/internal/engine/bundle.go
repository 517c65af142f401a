//go:build linux

package engine

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"lab/final/internal/pid1"
	"lab/final/internal/rootless"
)

// specVersion is the version of the specification that all runtimes of today understand.
const specVersion = "1.0.2"

// rootfs is where the container's layers are seen as one, in its monitor's mounts.
func (e *Engine) rootfs(id string) string { return filepath.Join(e.stateDir(id), "rootfs") }

// bundle is the directory with config.json.
func (e *Engine) bundle(id string) string { return filepath.Join(e.stateDir(id), "bundle") }

// writeBundle writes what the runtime is to make, now that the root can be looked into.
func (e *Engine) writeBundle(c *Container, l *lending) error {
	args := slices.Concat([]string{c.Path}, c.Args)
	if c.HostConfig.Init {
		args = slices.Concat([]string{initPath}, args)
	}
	process, err := e.process(c, c.Config.User, args)
	if err != nil {
		return err
	}
	process.Terminal = c.Config.Tty
	if process.Cwd, err = makeDir(e.rootfs(c.ID), c.Config.WorkingDir, process.User); err != nil {
		return fmt.Errorf("working directory %s: %w", c.Config.WorkingDir, err)
	}
	shared, err := e.namespaces(c)
	if err != nil {
		return err
	}
	mounts, err := e.allMounts(c, l)
	if err != nil {
		return err
	}
	spec := &specs.Spec{
		Version: specVersion, Process: process,
		Root:   &specs.Root{Path: e.rootfs(c.ID), Readonly: c.HostConfig.ReadonlyRootfs},
		Mounts: mounts,
		Linux: &specs.Linux{
			Namespaces: shared, UIDMappings: c.idMap(), GIDMappings: c.idMap(),
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
	if c.HostConfig.UTSMode != "host" {
		spec.Hostname = c.Config.Hostname
	}
	if err := e.limit(c, spec); err != nil {
		return err
	}
	if spec.Linux.Seccomp, err = c.HostConfig.seccompProfile(spec); err != nil {
		return fmt.Errorf("seccomp: %w", err)
	}
	if err := os.MkdirAll(e.bundle(c.ID), 0o700); err != nil {
		return err
	}
	return writeJSON(filepath.Join(e.bundle(c.ID), "config.json"), spec)
}

// initPath is where the container finds our init: where a file may be made that is not in
// its layers.
const initPath = "/dev/" + pid1.Name

// initMount makes our own program that init, which can be read and not be changed.
func initMount() (specs.Mount, error) {
	self, err := os.Executable()
	if err != nil {
		return specs.Mount{}, fmt.Errorf("find our own program for --init: %w", err)
	}
	m := mount(initPath, "bind", "bind,ro,nosuid,nodev")
	m.Source = self
	return m, nil
}

// allMounts are what the container sees besides its root.
func (e *Engine) allMounts(c *Container, l *lending) ([]specs.Mount, error) {
	all, err := e.mounts(c, l)
	if err != nil {
		return nil, err
	}
	volumes, err := e.mountVolumes(c, l)
	if err != nil {
		return nil, err
	}
	all = append(all, volumes...)
	if c.HostConfig.Init {
		init, err := initMount()
		if err != nil {
			return nil, err
		}
		all = append(all, init)
	}
	return all, nil
}

// mounts are those that every container has.
func (e *Engine) mounts(c *Container, l *lending) ([]specs.Mount, error) {
	terminals := "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620"
	if e.ids.hasGroup(5) {
		terminals += ",gid=5" // tty, in every distribution
	}
	proc := mount("/proc", "proc", "nosuid,noexec,nodev")
	if c.HostConfig.PidMode == "host" && rootless.Entered() {
		// Who does not own a pid namespace has no other view of it than there is.
		proc = mount("/proc", "bind", "rbind,rprivate,nosuid,noexec,nodev")
		proc.Source = "/proc"
	}
	sys := mount("/sys", "sysfs", "nosuid,noexec,nodev,ro")
	if c.HostConfig.ownUsers() && c.HostConfig.sharesNetwork() {
		// The same goes for a network namespace.
		sys = mount("/sys", "bind", "rbind,rprivate,nosuid,noexec,nodev,ro")
		sys.Source = "/sys"
	}
	all := []specs.Mount{
		proc,
		mount("/dev", "tmpfs", "nosuid,strictatime,mode=755,size=65536k"),
		mount("/dev/pts", "devpts", terminals),
		sys,
	}
	all = append(all, ipcMounts(&c.HostConfig)...)
	if e.ids.all() {
		all = append(all, mount("/sys/fs/cgroup", "cgroup", "nosuid,noexec,nodev,relatime,ro"))
	}
	for _, place := range slices.Sorted(maps.Keys(c.HostConfig.Tmpfs)) {
		options := "nosuid,nodev,noexec"
		if more := c.HostConfig.Tmpfs[place]; more != "" {
			options += "," + more
		}
		all = append(all, mount(place, "tmpfs", options))
	}
	own, err := l.lend(e.dir(c.ID), "own")
	if err != nil {
		return nil, err
	}
	for _, file := range []struct{ place, path string }{
		{"/etc/resolv.conf", c.ResolvConfPath},
		{"/etc/hostname", c.HostnamePath},
		{"/etc/hosts", c.HostsPath},
	} {
		m := mount(file.place, "bind", "rbind,rprivate,nosuid,nodev,noexec")
		m.Source = filepath.Join(own, filepath.Base(file.path))
		if c.HostConfig.ReadonlyRootfs {
			m.Options = append(m.Options, "ro")
		}
		all = append(all, m)
	}
	return all, nil
}

// ipcMounts are the places by which processes share memory and queues.
func ipcMounts(h *HostConfig) []specs.Mount {
	if h.IpcMode == "host" {
		var all []specs.Mount
		for _, place := range []string{"/dev/mqueue", "/dev/shm"} {
			m := mount(place, "bind", "rbind,rprivate,nosuid,noexec,nodev")
			m.Source = place
			if _, err := os.Lstat(place); err == nil { // not every host has both
				all = append(all, m)
			}
		}
		return all
	}
	size := h.ShmSize
	if size == 0 {
		size = 64 << 20
	}
	return []specs.Mount{
		mount("/dev/mqueue", "mqueue", "nosuid,noexec,nodev"),
		mount("/dev/shm", "tmpfs", fmt.Sprintf("nosuid,noexec,nodev,mode=1777,size=%d", size)),
	}
}

// mount is one of a file system of the kernel's.
func mount(place, kind, options string) specs.Mount {
	return specs.Mount{
		Destination: place, Type: kind, Source: kind, Options: strings.Split(options, ","),
	}
}

// deviceRules shut all devices but those that every container has.
//
//	c 1:3 rwm      /dev/null
//	(1)type (2)major:minor (3)access
func deviceRules() []specs.LinuxDeviceCgroup {
	rules := []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}
	allow := func(kind string, major, minor int64, access string) {
		rule := specs.LinuxDeviceCgroup{Allow: true, Type: kind, Access: access}
		if major >= 0 {
			rule.Major = &major
		}
		if minor >= 0 {
			rule.Minor = &minor
		}
		rules = append(rules, rule)
	}
	// Making a node is harmless, for it cannot be opened.
	allow("c", -1, -1, "m")
	allow("b", -1, -1, "m")
	for _, minor := range []int64{3, 5, 7, 8, 9} { // null zero full random urandom
		allow("c", 1, minor, "rwm")
	}
	allow("c", 5, 0, "rwm") // tty
	allow("c", 5, 1, "rwm") // console
	allow("c", 5, 2, "rwm") // ptmx
	allow("c", 136, -1, "rwm")
	return rules
}

// process describes a process of the container: its first, or one more.
func (e *Engine) process(c *Container, user string, args []string) (*specs.Process, error) {
	identity, home, err := lookUp(e.rootfs(c.ID), user)
	if err != nil {
		return nil, err
	}
	own := []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOSTNAME=" + c.Config.Hostname,
	}
	if c.Config.Tty {
		own = append(own, "TERM=xterm")
	}
	env := mergeEnv(own, c.Config.Env)
	if !slices.ContainsFunc(env, func(v string) bool { return strings.HasPrefix(v, "HOME=") }) {
		env = append(env, "HOME="+home)
	}
	p := &specs.Process{User: identity, Args: args, Env: env, Cwd: "/"}
	if c.Config.WorkingDir != "" {
		p.Cwd = c.Config.WorkingDir
	}
	all := c.HostConfig.capabilities()
	p.NoNewPrivileges = c.HostConfig.noNewPrivileges()
	p.Capabilities = &specs.LinuxCapabilities{Bounding: all}
	if identity.UID == 0 {
		p.Capabilities.Effective, p.Capabilities.Permitted = all, all
	}
	return p, nil
}
