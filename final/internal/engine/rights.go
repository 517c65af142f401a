//go:build linux

package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	docker "github.com/moby/profiles/seccomp"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"lab/final/internal/caps"
)

// rights are the capabilities of a container that asks for none and is forbidden none.
func rights() []string {
	return []string{
		"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW",
		"CAP_SETGID", "CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE",
		"CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE",
	}
}

// capName is the name of a capability as the kernel's headers have it: chown is CAP_CHOWN.
func capName(text string) string {
	name := strings.ToUpper(text)
	if name == "ALL" || strings.HasPrefix(name, "CAP_") {
		return name
	}
	return "CAP_" + name
}

// capabilities are those of a container: the usual ones, or all, with more and fewer.
func (h *HostConfig) capabilities() []string {
	if h.Privileged {
		return knownCaps()
	}
	names := rights()
	if slices.ContainsFunc(h.CapDrop, isAll) {
		names = nil
	}
	if slices.ContainsFunc(h.CapAdd, isAll) {
		names = knownCaps()
	}
	for _, text := range h.CapAdd {
		if name := capName(text); !isAll(text) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, text := range h.CapDrop {
		names = slices.DeleteFunc(names, func(n string) bool { return n == capName(text) })
	}
	return names
}

// isAll reports whether all capabilities are meant.
func isAll(text string) bool { return capName(text) == "ALL" }

// knownCaps are the names of all capabilities that can be given away here.
func knownCaps() []string {
	known, err := caps.Own()
	if err != nil {
		return caps.All()
	}
	return slices.DeleteFunc(caps.All(), func(name string) bool {
		set, _ := caps.Of(name)
		return set&known == 0
	})
}

// checkRights refuses capabilities and options that are none.
func (h *HostConfig) checkRights() error {
	for _, name := range slices.Concat(h.CapAdd, h.CapDrop) {
		if _, unknown := caps.Of(capName(name)); !isAll(name) && len(unknown) > 0 {
			return fmt.Errorf("capability %q: there is none of that name", name)
		}
	}
	for _, option := range h.SecurityOpt {
		name, value, _ := strings.Cut(option, "=")
		known := name == "seccomp" && value != "" ||
			slices.Contains([]string{
				"no-new-privileges", "no-new-privileges:true", writableCgroups,
				"writable-cgroups=false",
			}, option)
		if !known {
			return fmt.Errorf("--security-opt %q is none of no-new-privileges, "+
				"seccomp=unconfined, seccomp=FILE, %s", option, writableCgroups)
		}
	}
	return nil
}

// writableCgroups is the option of a container that divides its own cgroup, as an init does.
const writableCgroups = "writable-cgroups=true"

// noNewPrivileges reports whether the container's programs cannot gain rights.
func (h *HostConfig) noNewPrivileges() bool {
	return slices.ContainsFunc(h.SecurityOpt, func(o string) bool {
		return strings.HasPrefix(o, "no-new-privileges")
	})
}

// seccompProfile is the filter of system calls: docker's, another, or none.
func (h *HostConfig) seccompProfile(spec *specs.Spec) (*specs.LinuxSeccomp, error) {
	path := ""
	for _, option := range h.SecurityOpt {
		if name, value, _ := strings.Cut(option, "="); name == "seccomp" {
			path = value
		}
	}
	switch {
	case path == "unconfined" || path == "" && h.Privileged:
		return nil, nil //nolint:nilnil // No filter is what was asked for.
	case path == "":
		return docker.GetDefaultProfile(spec)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	profile, err := docker.LoadProfile(string(text), spec)
	if err == nil && !json.Valid(text) {
		err = errors.New("not JSON")
	}
	return profile, err
}
