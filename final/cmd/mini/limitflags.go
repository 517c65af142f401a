package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"lab/final/internal/engine"
)

// limitFlags are the flags of a container's limits and rights, as they were written.
type limitFlags struct {
	resources                 resourceFlags
	shm                       string
	ulimits, sysctls, devices []string
	cidfile                   string
	stopTimeout               int
}

// add adds them.
func (l *limitFlags) add(flags *pflag.FlagSet, r *engine.Request) {
	h := &r.HostConfig
	l.resources.add(flags, h)
	l.resources.addDevices(flags)
	flags.StringArrayVar(&l.ulimits, "ulimit", nil, "a limit of each process: nofile=1024[:4096]")
	flags.StringArrayVar(&l.sysctls, "sysctl", nil, "a setting of its own kernel: NAME=VALUE")
	flags.StringVar(&l.shm, "shm-size", "", "how large /dev/shm is: 64m")
	flags.StringArrayVar(&l.devices, "device", nil, "a device of the host's: PATH[:INSIDE[:rwm]]")
	flags.StringSliceVar(&h.CapAdd, "cap-add", nil, "a capability more, or ALL")
	flags.StringSliceVar(&h.CapDrop, "cap-drop", nil, "a capability fewer, or ALL")
	flags.StringArrayVar(&h.SecurityOpt, "security-opt", nil,
		"no-new-privileges, writable-cgroups=true, seccomp=unconfined or seccomp=FILE")
	flags.BoolVar(&h.Privileged, "privileged", false, "all capabilities and devices, no filter")
	flags.StringVar(&h.PidMode, "pid", "", "whose processes it sees: host, container:NAME")
	flags.StringVar(&h.IpcMode, "ipc", "", "whose memory it shares: host, private, container:NAME")
	flags.StringVar(&h.UTSMode, "uts", "", "whose host name it has: host")
	flags.StringVar(&r.Config.StopSignal, "stop-signal", "", "the signal that asks it to end")
	flags.IntVar(&l.stopTimeout, "stop-timeout", 10, "seconds until it is killed then")
	flags.StringVar(&l.cidfile, "cidfile", "", "a new file for its ID")
}

// read reads what was written.
func (l *limitFlags) read(flags *pflag.FlagSet, r *engine.Request) error {
	h := &r.HostConfig
	err := l.resources.read(h)
	if err == nil {
		err = readSize("--shm-size", l.shm, &h.ShmSize)
	}
	if err != nil {
		return err
	}
	if h.AutoRemove && h.RestartPolicy.Name != "no" {
		return fmt.Errorf("%w: --rm and --restart %s exclude each other", errUsage,
			h.RestartPolicy.Name)
	}
	if flags.Changed("stop-timeout") {
		r.Config.StopTimeout = &l.stopTimeout
	}
	return l.readLists(h)
}

// readLists reads what may be written several times.
func (l *limitFlags) readLists(h *engine.HostConfig) error {
	for _, text := range l.ulimits {
		u, err := parseUlimit(text)
		if err != nil {
			return fmt.Errorf("%w: --ulimit %w", errUsage, err)
		}
		h.Ulimits = append(h.Ulimits, u)
	}
	for _, text := range l.sysctls {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return fmt.Errorf("%w: --sysctl %q is not NAME=VALUE", errUsage, text)
		}
		if h.Sysctls == nil {
			h.Sysctls = map[string]string{}
		}
		h.Sysctls[name] = value
	}
	for _, text := range l.devices {
		d, err := parseDevice(text)
		if err != nil {
			return fmt.Errorf("%w: --device %w", errUsage, err)
		}
		h.Devices = append(h.Devices, d)
	}
	return nil
}

// parseUlimit reads NAME=SOFT[:HARD]; -1 is no limit.
func parseUlimit(text string) (engine.Ulimit, error) {
	name, limits, _ := strings.Cut(text, "=")
	u := engine.Ulimit{Name: name}
	known := []string{
		"as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile",
		"nproc", "rss", "rtprio", "rttime", "sigpending", "stack",
	}
	if !slices.Contains(known, name) {
		return u, fmt.Errorf("%q: there is none of that name", text)
	}
	soft, hard, both := strings.Cut(limits, ":")
	if !both {
		hard = soft
	}
	for _, part := range []struct {
		text string
		to   *uint64
	}{{soft, &u.Soft}, {hard, &u.Hard}} {
		n, err := strconv.ParseInt(part.text, 10, 64)
		if err != nil || n < -1 {
			return u, fmt.Errorf("%q is not NAME=SOFT[:HARD]", text)
		}
		*part.to = uint64(n) // of -1 this is the largest number, which is no limit
	}
	if u.Soft > u.Hard {
		return u, fmt.Errorf("%q: the soft limit is above the hard one", text)
	}
	return u, nil
}

// parseDevice reads PATH[:INSIDE[:RIGHTS]], or PATH:RIGHTS.
func parseDevice(text string) (engine.Device, error) {
	parts := strings.Split(text, ":")
	d := engine.Device{PathOnHost: parts[0], PathInContainer: parts[0], CgroupPermissions: "rwm"}
	rest := parts[1:]
	if len(rest) > 0 && strings.HasPrefix(rest[0], "/") {
		d.PathInContainer, rest = rest[0], rest[1:]
	}
	if len(rest) > 0 {
		d.CgroupPermissions, rest = rest[0], rest[1:]
	}
	if len(rest) > 0 || !strings.HasPrefix(d.PathOnHost, "/") || d.CgroupPermissions == "" ||
		strings.Trim(d.CgroupPermissions, "rwm") != "" {
		return d, fmt.Errorf("%q is not PATH[:INSIDE[:RIGHTS]], where rights are of r, w and m",
			text)
	}
	return d, nil
}

// claim makes the file for the container's ID before there is one: it must be new.
func (l *limitFlags) claim() (write func(id string) error, err error) {
	if l.cidfile == "" {
		return func(string) error { return nil }, nil
	}
	file, err := os.OpenFile(l.cidfile, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("--cidfile: %w", err)
	}
	return func(id string) error {
		defer file.Close()
		if id == "" {
			return os.Remove(l.cidfile)
		}
		_, err := file.WriteString(id)
		return err
	}, nil
}
