package cgroup

import (
	"fmt"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// unlimited is how config.json says that there is no limit.
const unlimited = -1

// memoryV1 limits memory, and then memory and swap together. The second may at no
// time be the smaller one, and in a new cgroup both are unlimited: so in this order.
//
//	echo 31457280 > memory.limit_in_bytes
//	echo 62914560 > memory.memsw.limit_in_bytes
//
// The kernel ignores memory.kernel since 5.4, and so do we. See memory.rst.
func memoryV1(r *specs.LinuxResources) ([]Write, error) {
	m := r.Memory
	if m == nil {
		return nil, nil
	}
	if err := checkMemory(m); err != nil {
		return nil, err
	}
	a := asked{controller: "memory"}
	limit(&a, "memory.limit", "memory.limit_in_bytes", m.Limit)
	limit(&a, "memory.swap", "memory.memsw.limit_in_bytes", m.Swap)
	limit(&a, "memory.reservation", "memory.soft_limit_in_bytes", m.Reservation)
	limit(&a, "memory.kernelTCP", "memory.kmem.tcp.limit_in_bytes", m.KernelTCP)
	set(&a, "memory.swappiness", "memory.swappiness", m.Swappiness)
	truth(&a, "memory.disableOOMKiller", "memory.oom_control", m.DisableOOMKiller)
	truth(&a, "memory.useHierarchy", "memory.use_hierarchy", m.UseHierarchy)
	return a.writes, nil
}

// memoryV2 limits memory and swap, each for itself.
//
//	echo 31457280 > memory.max
//	echo 31457280 > memory.swap.max
//	echo 20971520 > memory.low
func memoryV2(r *specs.LinuxResources) ([]Write, error) {
	m := r.Memory
	if m == nil {
		return nil, nil
	}
	if err := checkMemory(m); err != nil {
		return nil, err
	}
	if err := memoryNotOnV2(m); err != nil {
		return nil, err
	}
	var ws []Write
	if isSet(m.Limit) {
		w := memoryWrite("memory.max", orMax(*m.Limit), "limit", *m.Limit)
		if m.CheckBeforeUpdate != nil && *m.CheckBeforeUpdate {
			w.NotBelow = "memory.current"
		}
		ws = append(ws, w)
	}
	if isSet(m.Swap) {
		ws = append(ws, swapV2(m))
	}
	if isSet(m.Reservation) {
		n := *m.Reservation
		ws = append(ws, memoryWrite("memory.low", orMax(n), "reservation", n))
	}
	return ws, nil
}

// swapV2 converts: config.json limits memory and swap together, version 2 swap
// alone (runtime-spec, config-linux.md, "Memory"; cgroup-v2.rst, memory.swap.max).
// A kernel that does not count swap has no such file: then there is nothing to
// limit if none or all of it may be used.
func swapV2(m *specs.LinuxMemory) Write {
	value := orMax(unlimited)
	if *m.Swap != unlimited {
		value = strconv.FormatInt(*m.Swap-*m.Limit, 10)
	}
	w := memoryWrite("memory.swap.max", value, "swap", *m.Swap)
	w.Optional = value == "0" || value == "max"
	return w
}

// checkMemory refuses what means nothing on either version.
func checkMemory(m *specs.LinuxMemory) error {
	for _, s := range []struct {
		name  string
		value *int64
	}{
		{"limit", m.Limit},
		{"swap", m.Swap},
		{"reservation", m.Reservation},
		{"kernelTCP", m.KernelTCP},
	} {
		if s.value != nil && *s.value < unlimited {
			return fmt.Errorf("%s: neither a number of bytes nor -1 for no limit",
				setting("memory."+s.name, *s.value))
		}
	}
	if m.Swappiness != nil && *m.Swappiness > 100 {
		return fmt.Errorf("%s: not from 0 to 100", setting("memory.swappiness", *m.Swappiness))
	}
	if !isSet(m.Swap) || *m.Swap == unlimited {
		return nil
	}
	swap := setting("memory.swap", *m.Swap)
	switch {
	case !isSet(m.Limit):
		return fmt.Errorf("%s: it is memory and swap together and needs memory.limit", swap)
	case *m.Limit == unlimited:
		return fmt.Errorf("%s: it is memory and swap together, and memory.limit is -1, none", swap)
	case *m.Swap < *m.Limit:
		return fmt.Errorf("%s: it is memory and swap together, less than memory.limit %d",
			swap, *m.Limit)
	}
	return nil
}

// memoryNotOnV2 refuses what version 2 has no file for.
func memoryNotOnV2(m *specs.LinuxMemory) error {
	const why = "%s: cgroup version 2 has no such setting"
	switch {
	case m.Swappiness != nil:
		return fmt.Errorf(why, setting("memory.swappiness", *m.Swappiness))
	case isSet(m.KernelTCP) && *m.KernelTCP != unlimited:
		return fmt.Errorf(why, setting("memory.kernelTCP", *m.KernelTCP))
	case m.DisableOOMKiller != nil && *m.DisableOOMKiller:
		return fmt.Errorf(why, setting("memory.disableOOMKiller", true))
	case m.UseHierarchy != nil && !*m.UseHierarchy:
		return fmt.Errorf("%s: cgroup version 2 always counts hierarchically",
			setting("memory.useHierarchy", false))
	}
	return nil
}

// memoryWrite is a write to a file of the memory controller.
func memoryWrite(file, value, name string, from any) Write {
	return Write{
		Controller: "memory", File: file, Value: value, From: setting("memory."+name, from),
	}
}

// isSet tells a limit from none. Clients write 0 where they mean nothing: no
// container could start with it.
func isSet(value *int64) bool { return value != nil && *value != 0 }

// orMax is version 2's word for a number, where -1 is no limit.
func orMax(n int64) string {
	if n == unlimited {
		return "max"
	}
	return strconv.FormatInt(n, 10)
}
