//go:build linux

package engine

import (
	"fmt"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// namespaces are those that the container has for itself, and those that it shares with
// another container. What it shares with the host is not named.
func (e *Engine) namespaces(c *Container) ([]specs.LinuxNamespace, error) {
	h := &c.HostConfig
	all := []specs.LinuxNamespace{{Type: specs.MountNamespace}, {Type: specs.CgroupNamespace}}
	if h.ownUsers() {
		all = append(all, specs.LinuxNamespace{Type: specs.UserNamespace})
	}
	for _, n := range []struct {
		kind specs.LinuxNamespaceType
		file string
		mode string
	}{
		{specs.PIDNamespace, "pid", h.PidMode},
		{specs.IPCNamespace, "ipc", h.IpcMode},
		{specs.UTSNamespace, "uts", h.UTSMode},
		{specs.NetworkNamespace, "net", h.NetworkMode},
	} {
		other, shared := strings.CutPrefix(n.mode, "container:")
		switch {
		case n.mode == "host":
			continue
		case !shared:
			all = append(all, specs.LinuxNamespace{Type: n.kind})
			continue
		}
		path, err := e.namespaceOf(other, n.file)
		if err != nil {
			return nil, fmt.Errorf("--%s %s: %w", n.file, n.mode, err)
		}
		all = append(all, specs.LinuxNamespace{Type: n.kind, Path: path})
	}
	return all, nil
}

// namespaceOf is the file of a running container's namespace.
func (e *Engine) namespaceOf(word, file string) (string, error) {
	other, err := e.Find(word)
	if err != nil {
		return "", err
	}
	if !other.State.Running {
		return "", ErrNotRunning
	}
	return fmt.Sprintf("/proc/%d/ns/%s", other.State.Pid, file), nil
}

// checkModes refuses what is no way to share a namespace.
func (h *HostConfig) checkModes() error {
	for flag, mode := range map[string]string{
		"--pid": h.PidMode, "--ipc": h.IpcMode, "--uts": h.UTSMode,
	} {
		known := mode == "" || mode == "host" ||
			strings.HasPrefix(mode, "container:") && flag != "--uts" ||
			mode == "private" && flag == "--ipc"
		if !known {
			return fmt.Errorf("%s %q is neither host nor container:NAME", flag, mode)
		}
	}
	return nil
}
