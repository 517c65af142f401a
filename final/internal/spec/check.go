package spec

import (
	"errors"
	"fmt"
	"path"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// The versions of the specification that are understood.
const (
	VersionMin = "1.0.0"
	VersionMax = "1.3.0"
)

// ErrUnsupported means a field of the specification that this runtime has not.
var ErrUnsupported = errors.New("not supported by minirun")

// wrong is an error about one field.
func wrong(field, format string, args ...any) error {
	return fmt.Errorf("%s: %w", field, fmt.Errorf(format, args...))
}

// Check refuses a configuration from which no container can be made, with all
// that is wrong with it.
func Check(c *specs.Spec) error {
	var found []error
	for _, check := range []func(*specs.Spec) error{
		checkVersion, checkRoot, checkProcess, checkMounts, checkHooks, checkUnsupported,
		checkNamespaces, checkMaps, checkNames, checkSysctls, checkDevices, checkPaths,
	} {
		found = append(found, check(c))
	}
	return errors.Join(found...)
}

// checkVersion refuses a version of the specification that is not understood.
// A later minor version is one in which fields were added.
func checkVersion(c *specs.Spec) error {
	major, rest, ok := strings.Cut(c.Version, ".")
	if !ok || rest == "" {
		return wrong(".ociVersion", "%q is no version such as %s", c.Version, VersionMax)
	}
	if major != "1" {
		return wrong(".ociVersion", "%q is none of the versions from %s on that are understood",
			c.Version, VersionMin)
	}
	return nil
}

// checkRoot refuses a root file system without a path.
func checkRoot(c *specs.Spec) error {
	if c.Root == nil || c.Root.Path == "" {
		return wrong(".root.path", "it is missing")
	}
	return text(".root.path", c.Root.Path)
}

// checkMounts refuses mounts without a place.
func checkMounts(c *specs.Spec) error {
	var found []error
	for i, m := range c.Mounts {
		field := fmt.Sprintf(".mounts[%d]", i)
		if m.Destination == "" {
			found = append(found, wrong(field+".destination", "it is missing"))
		}
		if path.Clean("/"+m.Destination) == "/" {
			found = append(found, wrong(field+".destination",
				"%q is the root itself", m.Destination))
		}
		if (len(m.UIDMappings) > 0) != (len(m.GIDMappings) > 0) {
			found = append(found, wrong(field+".uidMappings",
				"uidMappings and gidMappings belong together"))
		}
		found = append(found, checkMap(field+".uidMappings", m.UIDMappings),
			checkMap(field+".gidMappings", m.GIDMappings))
		found = append(found, texts(field, append([]string{m.Destination, m.Source, m.Type},
			m.Options...)))
	}
	return errors.Join(found...)
}

// checkHooks refuses hooks that could not be run.
func checkHooks(c *specs.Spec) error {
	if c.Hooks == nil {
		return nil
	}
	var found []error
	for _, kind := range []struct {
		name  string
		hooks []specs.Hook
	}{
		{"prestart", c.Hooks.Prestart}, //nolint:staticcheck // podman and docker still write it
		{"createRuntime", c.Hooks.CreateRuntime},
		{"createContainer", c.Hooks.CreateContainer},
		{"startContainer", c.Hooks.StartContainer},
		{"poststart", c.Hooks.Poststart},
		{"poststop", c.Hooks.Poststop},
	} {
		for i, hook := range kind.hooks {
			field := fmt.Sprintf(".hooks.%s[%d]", kind.name, i)
			if !path.IsAbs(hook.Path) {
				found = append(found, wrong(field+".path", "%q is not an absolute path", hook.Path))
			}
			if hook.Timeout != nil && *hook.Timeout <= 0 {
				found = append(found, wrong(field+".timeout", "%d is no time", *hook.Timeout))
			}
			found = append(found, texts(field, append(append([]string{hook.Path}, hook.Args...),
				hook.Env...)))
		}
	}
	return errors.Join(found...)
}

// checkUnsupported refuses by name what the specification has and minirun has not.
func checkUnsupported(c *specs.Spec) error {
	l := c.Linux
	if l == nil {
		return nil
	}
	var found []error
	for _, f := range []struct {
		field string
		there bool
	}{
		{".linux.intelRdt", l.IntelRdt != nil},
		{".linux.netDevices", len(l.NetDevices) > 0},
		{".linux.memoryPolicy", l.MemoryPolicy != nil},
	} {
		if f.there {
			found = append(found, wrong(f.field, "%w", ErrUnsupported))
		}
	}
	return errors.Join(found...)
}

// texts refuses strings that the kernel would cut short.
func texts(field string, all []string) error {
	var found []error
	for _, s := range all {
		found = append(found, text(field, s))
	}
	return errors.Join(found...)
}

// text refuses a string with a zero byte in it: where one is, the kernel's ends.
func text(field, s string) error {
	if strings.ContainsRune(s, 0) {
		return wrong(field, "%q has a zero byte in it", s)
	}
	return nil
}
