package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"lab/final/internal/engine"
	"lab/final/internal/monitor"
)

// resourceFlags are the flags of what a container may use, which can be changed while it
// runs, as they were written.
type resourceFlags struct {
	memory, memorySwap, cpus, restart      string
	readBps, writeBps, readIOps, writeIOps []string
}

// add adds them.
func (f *resourceFlags) add(flags *pflag.FlagSet, h *engine.HostConfig) {
	flags.StringVarP(&f.memory, "memory", "m", "", "how much memory it may use: 64m")
	flags.StringVar(&f.memorySwap, "memory-swap", "", "memory and swap together; -1 is no limit")
	flags.StringVar(&f.cpus, "cpus", "", "how many processors it may use: 1.5")
	flags.Uint64Var(&h.CPUPeriod, "cpu-period", 0, "microseconds in which --cpu-quota is given out")
	flags.Int64Var(&h.CPUQuota, "cpu-quota", 0, "microseconds of a processor's time a period")
	flags.Uint64VarP(&h.CPUShares, "cpu-shares", "c", 0, "its weight among others; 1024 is usual")
	flags.StringVar(&h.CpusetCpus, "cpuset-cpus", "", "which processors: 0-2,4")
	flags.StringVar(&h.CpusetMems, "cpuset-mems", "", "the memory of which nodes: 0")
	flags.Int64Var(&h.PidsLimit, "pids-limit", 0, "how many tasks it may have; -1 is no limit")
	flags.Uint16Var(&h.BlkioWeight, "blkio-weight", 0, "its weight at block devices, 10 to 1000")
	flags.StringVar(&f.restart, "restart", "no",
		"whether it is started again: no, on-failure[:N], always, unless-stopped")
}

// addDevices adds those of single block devices.
func (f *resourceFlags) addDevices(flags *pflag.FlagSet) {
	flags.StringArrayVar(&f.readBps, "device-read-bps", nil,
		"bytes a second from a block device: /dev/sda:1m")
	flags.StringArrayVar(&f.writeBps, "device-write-bps", nil, "the same to it")
	flags.StringArrayVar(&f.readIOps, "device-read-iops", nil,
		"reads a second from a block device: /dev/sda:100")
	flags.StringArrayVar(&f.writeIOps, "device-write-iops", nil, "the same of writes")
}

// read reads what was written.
func (f *resourceFlags) read(h *engine.HostConfig) error {
	err := readSize("--memory", f.memory, &h.Memory)
	if f.memorySwap == "-1" {
		h.MemorySwap = -1
	} else if err == nil {
		err = readSize("--memory-swap", f.memorySwap, &h.MemorySwap)
	}
	if err != nil {
		return err
	}
	if h.NanoCpus, err = parseCPUs(f.cpus); err != nil {
		return fmt.Errorf("%w: --cpus %w", errUsage, err)
	}
	if h.BlkioWeight != 0 && (h.BlkioWeight < 10 || h.BlkioWeight > 1000) {
		return fmt.Errorf("%w: --blkio-weight %d is not from 10 to 1000", errUsage, h.BlkioWeight)
	}
	if h.RestartPolicy, err = monitor.ParseRestart(f.restart); err != nil {
		return fmt.Errorf("%w: --restart: %w", errUsage, err)
	}
	return f.readDevices(h)
}

// readDevices reads what was written of single block devices.
func (f *resourceFlags) readDevices(h *engine.HostConfig) error {
	for _, list := range []struct {
		flag  string
		texts []string
		to    *[]engine.Throttle
	}{
		{"--device-read-bps", f.readBps, &h.BlkioDeviceReadBps},
		{"--device-write-bps", f.writeBps, &h.BlkioDeviceWriteBps},
		{"--device-read-iops", f.readIOps, &h.BlkioDeviceReadIOps},
		{"--device-write-iops", f.writeIOps, &h.BlkioDeviceWriteIOps},
	} {
		for _, text := range list.texts {
			path, rate, _ := strings.Cut(text, ":")
			n, err := parseSize(rate)
			if err != nil || n == 0 || !strings.HasPrefix(path, "/") {
				return fmt.Errorf("%w: %s %q is not PATH:RATE", errUsage, list.flag, text)
			}
			*list.to = append(*list.to, engine.Throttle{Path: path, Rate: uint64(n)})
		}
	}
	return nil
}

// readSize reads a flag that is a number of bytes; nothing is as it was.
func readSize(flag, text string, to *int64) (err error) {
	if text == "" {
		return nil
	}
	if *to, err = parseSize(text); err != nil {
		return fmt.Errorf("%w: %s %w", errUsage, flag, err)
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
