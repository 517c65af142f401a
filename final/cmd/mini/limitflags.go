package main

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"lab/final/internal/engine"
	"lab/final/internal/monitor"
)

// limitFlags are the flags of a container's limits and rights, as they were written.
type limitFlags struct {
	memory, memorySwap, cpus, shm string
	ulimits, sysctls, devices     []string
	restart                       string
	cidfile                       string
	stopTimeout                   int
}

// add adds them.
func (l *limitFlags) add(flags *pflag.FlagSet, r *engine.Request) {
	h := &r.HostConfig
	flags.StringVarP(&l.memory, "memory", "m", "", "how much memory it may use: 64m")
	flags.StringVar(&l.memorySwap, "memory-swap", "", "memory and swap together; -1 is no limit")
	flags.StringVar(&l.cpus, "cpus", "", "how many processors it may use: 1.5")
	flags.Uint64Var(&h.CPUPeriod, "cpu-period", 0, "microseconds in which --cpu-quota is given out")
	flags.Int64Var(&h.CPUQuota, "cpu-quota", 0, "microseconds of a processor's time a period")
	flags.Uint64VarP(&h.CPUShares, "cpu-shares", "c", 0, "its weight among others; 1024 is usual")
	flags.StringVar(&h.CpusetCpus, "cpuset-cpus", "", "which processors: 0-2,4")
	flags.StringVar(&h.CpusetMems, "cpuset-mems", "", "the memory of which nodes: 0")
	flags.Int64Var(&h.PidsLimit, "pids-limit", 0, "how many tasks it may have; -1 is no limit")
	flags.StringArrayVar(&l.ulimits, "ulimit", nil, "a limit of each process: nofile=1024[:4096]")
	flags.StringArrayVar(&l.sysctls, "sysctl", nil, "a setting of its own kernel: NAME=VALUE")
	flags.StringVar(&l.shm, "shm-size", "", "how large /dev/shm is: 64m")
	flags.StringArrayVar(&l.devices, "device", nil, "a device of the host's: PATH[:INSIDE[:rwm]]")
	flags.StringSliceVar(&h.CapAdd, "cap-add", nil, "a capability more, or ALL")
	flags.StringSliceVar(&h.CapDrop, "cap-drop", nil, "a capability fewer, or ALL")
	flags.StringArrayVar(&h.SecurityOpt, "security-opt", nil,
		"no-new-privileges, seccomp=unconfined or seccomp=FILE")
	flags.BoolVar(&h.Privileged, "privileged", false, "all capabilities and devices, no filter")
	flags.StringVar(&h.PidMode, "pid", "", "whose processes it sees: host, container:NAME")
	flags.StringVar(&h.IpcMode, "ipc", "", "whose memory it shares: host, private, container:NAME")
	flags.StringVar(&h.UTSMode, "uts", "", "whose host name it has: host")
	flags.StringVar(&l.restart, "restart", "no",
		"whether it is started again: no, on-failure[:N], always, unless-stopped")
	flags.StringVar(&r.Config.StopSignal, "stop-signal", "", "the signal that asks it to end")
	flags.IntVar(&l.stopTimeout, "stop-timeout", 10, "seconds until it is killed then")
	flags.StringVar(&l.cidfile, "cidfile", "", "a new file for its ID")
}

// read reads what was written.
func (l *limitFlags) read(flags *pflag.FlagSet, r *engine.Request) error {
	h := &r.HostConfig
	var err error
	for _, size := range []struct {
		flag, text string
		to         *int64
	}{
		{"--memory", l.memory, &h.Memory},
		{"--memory-swap", l.memorySwap, &h.MemorySwap},
		{"--shm-size", l.shm, &h.ShmSize},
	} {
		if size.text == "" || size.text == "-1" && size.flag == "--memory-swap" {
			continue
		}
		if *size.to, err = parseSize(size.text); err != nil {
			return fmt.Errorf("%w: %s %w", errUsage, size.flag, err)
		}
	}
	if l.memorySwap == "-1" {
		h.MemorySwap = -1
	}
	if h.NanoCpus, err = parseCPUs(l.cpus); err != nil {
		return fmt.Errorf("%w: --cpus %w", errUsage, err)
	}
	if h.RestartPolicy, err = monitor.ParseRestart(l.restart); err != nil {
		return fmt.Errorf("%w: --restart: %w", errUsage, err)
	}
	if h.AutoRemove && h.RestartPolicy.Name != "no" {
		return fmt.Errorf("%w: --rm and --restart %s exclude each other", errUsage, l.restart)
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

// parseSize reads a number of bytes: 512k, 64m, 1g, with or without b or ib behind.
func parseSize(text string) (int64, error) {
	lower := strings.ToLower(text)
	lower = strings.TrimSuffix(strings.TrimSuffix(lower, "b"), "i")
	shift := 0
	if i := strings.IndexAny("kmgt", lower[max(0, len(lower)-1):]); lower != "" && i >= 0 {
		shift, lower = 10*(i+1), lower[:len(lower)-1]
	}
	n, err := strconv.ParseFloat(lower, 64)
	bytes := n * float64(int64(1)<<shift)
	if err != nil || !(bytes >= 0 && bytes < math.MaxInt64/2) {
		return 0, fmt.Errorf("%q is no size such as 64m", text)
	}
	return int64(bytes), nil
}

// parseCPUs reads a number of processors, in billionths.
func parseCPUs(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n >= 0.01 && n < 1e6) {
		return 0, fmt.Errorf("%q is no number of processors such as 1.5, at least 0.01", text)
	}
	return int64(n * 1e9), nil
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
