package spec

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Kinds are the namespaces of the specification, in the order in which they are
// joined: who joins a user namespace first has rights over the others.
func Kinds() []specs.LinuxNamespaceType {
	return []specs.LinuxNamespaceType{
		specs.UserNamespace, specs.PIDNamespace, specs.NetworkNamespace, specs.IPCNamespace,
		specs.UTSNamespace, specs.CgroupNamespace, specs.TimeNamespace, specs.MountNamespace,
	}
}

// Namespace returns the configuration of one namespace, and whether there is one.
func Namespace(c *specs.Spec, kind specs.LinuxNamespaceType) (specs.LinuxNamespace, bool) {
	if c.Linux == nil {
		return specs.LinuxNamespace{}, false
	}
	for _, n := range c.Linux.Namespaces {
		if n.Type == kind {
			return n, true
		}
	}
	return specs.LinuxNamespace{}, false
}

// checkNamespaces refuses namespaces that do not exist, and those named twice.
func checkNamespaces(c *specs.Spec) error {
	if c.Linux == nil {
		return wrong(".linux", "it is missing: minirun makes Linux containers")
	}
	var found []error
	seen := map[specs.LinuxNamespaceType]bool{}
	for i, n := range c.Linux.Namespaces {
		field := fmt.Sprintf(".linux.namespaces[%d]", i)
		switch {
		case !slices.Contains(Kinds(), n.Type):
			found = append(found, wrong(field+".type", "%q is no namespace", n.Type))
		case seen[n.Type]:
			found = append(found, wrong(field+".type", "%s is there twice", n.Type))
		case n.Path != "" && !path.IsAbs(n.Path):
			found = append(found, wrong(field+".path", "%q is not an absolute path", n.Path))
		}
		seen[n.Type] = true
		found = append(found, text(field+".path", n.Path))
	}
	if !seen[specs.MountNamespace] {
		// Without one, pivot_root(2) would change the root of the host.
		found = append(found, wrong(".linux.namespaces", "there is no mount namespace"))
	}
	return errors.Join(found...)
}

// checkMaps refuses maps without a user namespace, and one without maps.
func checkMaps(c *specs.Spec) error {
	l := c.Linux
	if l == nil {
		return nil
	}
	user, there := Namespace(c, specs.UserNamespace)
	maps := len(l.UIDMappings) + len(l.GIDMappings)
	var found []error
	switch {
	case !there && maps > 0:
		found = append(found, wrong(".linux.uidMappings", "there is no user namespace to map"))
	case there && user.Path == "" && (len(l.UIDMappings) == 0 || len(l.GIDMappings) == 0):
		found = append(found, wrong(".linux.uidMappings",
			"a new user namespace needs uidMappings and gidMappings"))
	}
	found = append(found, checkMap(".linux.uidMappings", l.UIDMappings),
		checkMap(".linux.gidMappings", l.GIDMappings))
	_, hasTime := Namespace(c, specs.TimeNamespace)
	if len(l.TimeOffsets) > 0 && !hasTime {
		found = append(found, wrong(".linux.timeOffsets", "there is no time namespace"))
	}
	for clock := range l.TimeOffsets {
		if clock != "monotonic" && clock != "boottime" {
			found = append(found, wrong(".linux.timeOffsets",
				"%q is no clock with an offset", clock))
		}
	}
	return errors.Join(found...)
}

// checkMap refuses a range of no ids and more ranges than the kernel takes.
func checkMap(field string, all []specs.LinuxIDMapping) error {
	const most = 340 // UID_GID_MAP_MAX_EXTENTS
	if len(all) > most {
		return wrong(field, "%d ranges, and the kernel takes %d", len(all), most)
	}
	for i, m := range all {
		if m.Size == 0 {
			return wrong(fmt.Sprintf("%s[%d].size", field, i), "it is 0")
		}
	}
	return nil
}

// checkNames refuses a name for the host.
func checkNames(c *specs.Spec) error {
	_, own := Namespace(c, specs.UTSNamespace)
	const longest = 64 // __NEW_UTS_LEN
	for _, n := range []struct{ field, name string }{
		{".hostname", c.Hostname}, {".domainname", c.Domainname},
	} {
		if n.name != "" && !own {
			return wrong(n.field, "%q would name the host: there is no uts namespace", n.name)
		}
		if len(n.name) > longest {
			return wrong(n.field, "%d bytes, and the kernel takes %d", len(n.name), longest)
		}
		if err := text(n.field, n.name); err != nil {
			return err
		}
	}
	return nil
}

// checkSysctls refuses the parameters that would change the host's kernel.
func checkSysctls(c *specs.Spec) error {
	if c.Linux == nil {
		return nil
	}
	var found []error
	for key, value := range c.Linux.Sysctl {
		field := fmt.Sprintf(".linux.sysctl[%q]", key)
		kind, ok := sysctlNamespace(key)
		_, own := Namespace(c, kind)
		switch {
		case !ok:
			found = append(found, wrong(field, "it would change the host: no namespace has it"))
		case !own:
			found = append(found, wrong(field,
				"it would change the host: there is no %s namespace", kind))
		}
		found = append(found, text(field, key+value))
	}
	return errors.Join(found...)
}

// sysctlNamespace returns the namespace that a kernel parameter belongs to. See
// namespaces(7); kernel.hostname and kernel.domainname have fields of their own.
func sysctlNamespace(key string) (specs.LinuxNamespaceType, bool) {
	// net/ipv4/ip_forward is the other way to write net.ipv4.ip_forward.
	key = strings.ReplaceAll(key, "/", ".")
	if slices.Contains(strings.Split(key, "."), "") {
		return "", false // .. leads elsewhere
	}
	switch {
	case strings.HasPrefix(key, "net."):
		return specs.NetworkNamespace, true
	case key == "kernel.domainname":
		return specs.UTSNamespace, true
	case strings.HasPrefix(key, "fs.mqueue."):
		return specs.IPCNamespace, true
	}
	return specs.IPCNamespace, slices.Contains([]string{
		"kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall",
		"kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced",
	}, key)
}

// checkDevices refuses device files that mknod(2) would not make.
func checkDevices(c *specs.Spec) error {
	if c.Linux == nil {
		return nil
	}
	var found []error
	for i, d := range c.Linux.Devices {
		field := fmt.Sprintf(".linux.devices[%d]", i)
		if !path.IsAbs(d.Path) || path.Clean(d.Path) == "/" {
			found = append(found, wrong(field+".path", "%q is no absolute path of a file", d.Path))
		}
		if !slices.Contains([]string{"c", "b", "u", "p"}, d.Type) {
			found = append(found, wrong(field+".type", "%q is none of c, b, u, p", d.Type))
		}
		found = append(found, text(field+".path", d.Path))
	}
	return errors.Join(found...)
}

// checkPaths refuses what is said about parts of the root and has no meaning.
func checkPaths(c *specs.Spec) error {
	l := c.Linux
	if l == nil {
		return nil
	}
	var found []error
	for _, list := range []struct {
		field string
		paths []string
	}{{".linux.maskedPaths", l.MaskedPaths}, {".linux.readonlyPaths", l.ReadonlyPaths}} {
		for i, name := range list.paths {
			field := fmt.Sprintf("%s[%d]", list.field, i)
			if !path.IsAbs(name) || path.Clean(name) == "/" {
				found = append(found, wrong(field, "%q is no absolute path below the root", name))
			}
			found = append(found, text(field, name))
		}
	}
	if p := l.RootfsPropagation; p != "" && !slices.Contains(propagations(), p) {
		found = append(found, wrong(".linux.rootfsPropagation", "%q is none of %s", p,
			strings.Join(propagations(), ", ")))
	}
	if p := l.Personality; p != nil {
		if p.Domain != specs.PerLinux && p.Domain != specs.PerLinux32 {
			found = append(found, wrong(".linux.personality.domain", "%q is none of LINUX, LINUX32",
				p.Domain))
		}
		if len(p.Flags) > 0 {
			found = append(found, wrong(".linux.personality.flags", "%w", ErrUnsupported))
		}
	}
	return errors.Join(append(found, text(".linux.cgroupsPath", l.CgroupsPath),
		text(".linux.mountLabel", l.MountLabel))...)
}

// propagations are the values of rootfsPropagation. See mount_namespaces(7).
func propagations() []string {
	return []string{
		"private", "rprivate", "slave", "rslave", "shared", "rshared",
		"unbindable", "runbindable",
	}
}
