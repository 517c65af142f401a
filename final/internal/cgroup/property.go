package cgroup

import (
	"slices"
	"strconv"
	"strings"
)

// property is a setting of a unit: one of a string, a truth, a number or pids.
type property struct {
	name  string
	value any // string, bool, uint64 or []uint32
}

// scopeProperties are those of a container's scope. What systemd knows of the limits it
// is told, or it would undo them when it reads its units anew; all limits are also
// written by us.
func scopeProperties(s Scope, pid int, l Limits) []property {
	list := []property{
		{"Description", "container " + s.Unit},
		{"PIDs", []uint32{uint32(pid)}},
		{"Delegate", true},
		{"DefaultDependencies", false},
		{"CollectMode", "inactive-or-failed"},
		{"MemoryAccounting", true},
		{"CPUAccounting", true},
		{"TasksAccounting", true},
	}
	if !strings.HasSuffix(s.Unit, ".slice") {
		list = append(list, property{"Slice", s.Slice})
	}
	return append(list, limitProperties(l.Writes)...)
}

// limitProperties are limits by systemd's names (systemd.resource-control(5)).
func limitProperties(writes []Write) []property {
	names := map[string]string{
		"memory.limit_in_bytes": "MemoryLimit", "memory.max": "MemoryMax",
		"memory.low": "MemoryLow", "memory.swap.max": "MemorySwapMax", "pids.max": "TasksMax",
		"cpu.shares": "CPUShares", "cpu.weight": "CPUWeight",
	}
	var list []property
	period := uint64(100_000) // the kernel's own
	for _, w := range writes {
		words := strings.Fields(w.Value)
		n, err := number(words[0])
		if err != nil {
			continue // a value of unified that is no number
		}
		switch w.File {
		case "cpu.cfs_period_us":
			period = n
		case "cpu.cfs_quota_us", "cpu.max":
			if len(words) > 1 {
				period, err = strconv.ParseUint(words[1], 10, 64)
			}
			if err == nil && period > 0 {
				list = append(list, property{"CPUQuotaPerSecUSec", perSecond(n, period)},
					property{"CPUQuotaPeriodUSec", period})
			}
		default:
			if name := names[w.File]; name != "" {
				list = slices.DeleteFunc(list, func(p property) bool { return p.name == name })
				list = append(list, property{name, n})
			}
		}
	}
	return list
}

// perSecond is a quota as systemd counts it: microseconds of each second, in steps of 10
// ms, or it would be rounded down.
func perSecond(quota, period uint64) uint64 {
	const second, step = 1_000_000, 10_000
	if quota == noLimit || quota > noLimit/second-step {
		return noLimit
	}
	return (quota*second/period + step - 1) / step * step
}

// writeProperties writes them all.
func writeProperties(w *wire, list []property) {
	w.array(8, func() {
		for _, p := range list {
			p.write(w)
		}
	})
}

// write writes a name and a value with its type.
func (p property) write(w *wire) {
	w.align(8)
	w.string(p.name)
	switch value := p.value.(type) {
	case string:
		w.signature("s")
		w.string(value)
	case bool:
		w.signature("b")
		truth := uint32(0)
		if value {
			truth = 1
		}
		w.uint32(truth)
	case uint64:
		w.signature("t")
		w.uint64(value)
	case []uint32:
		w.signature("au")
		w.array(4, func() {
			for _, n := range value {
				w.uint32(n)
			}
		})
	}
}
