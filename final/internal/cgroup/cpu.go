package cgroup

import (
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// cpuV1 gives a share of the processors, and at most so much time of each period,
// both in microseconds. See sched-bwc.rst.
//
//	echo 512 > cpu.shares
//	echo 100000 > cpu.cfs_period_us
//	echo 50000 > cpu.cfs_quota_us
//	echo 10000 > cpu.cfs_burst_us
//
// Burst must not be more than the quota, so it comes after it.
func cpuV1(r *specs.LinuxResources) ([]Write, error) {
	c := r.CPU
	if c == nil {
		return nil, nil
	}
	if err := checkCPU(c); err != nil {
		return nil, err
	}
	a := asked{controller: "cpu"}
	if weighs(c) {
		set(&a, "cpu.shares", "cpu.shares", c.Shares)
	}
	limit(&a, "cpu.period", "cpu.cfs_period_us", c.Period)
	limit(&a, "cpu.quota", "cpu.cfs_quota_us", c.Quota)
	set(&a, "cpu.burst", "cpu.cfs_burst_us", c.Burst)
	limit(&a, "cpu.realtimePeriod", "cpu.rt_period_us", c.RealtimePeriod)
	limit(&a, "cpu.realtimeRuntime", "cpu.rt_runtime_us", c.RealtimeRuntime)
	set(&a, "cpu.idle", "cpu.idle", c.Idle)
	return a.writes, nil
}

// cpuV2 does the same with version 2's files. Quota and period share one.
//
//	echo 59 > cpu.weight
//	echo "50000 100000" > cpu.max
//	echo 10000 > cpu.max.burst
func cpuV2(r *specs.LinuxResources) ([]Write, error) {
	c := r.CPU
	if c == nil {
		return nil, nil
	}
	if err := checkCPU(c); err != nil {
		return nil, err
	}
	if isSet(c.RealtimeRuntime) || c.RealtimePeriod != nil && *c.RealtimePeriod != 0 {
		return nil, errors.New("linux.resources.cpu.realtimeRuntime and realtimePeriod: " +
			"cgroup version 2 has no such settings")
	}
	a := asked{controller: "cpu"}
	if weighs(c) {
		weight := weightOf(*c.Shares)
		from := fmt.Sprintf("%s, weight %d", setting("cpu.shares", *c.Shares), weight)
		a.writes = append(a.writes, cpuWrite("cpu.weight", fmt.Sprint(weight), from))
	}
	if w, ok := cpuMax(c); ok {
		a.writes = append(a.writes, w)
	}
	set(&a, "cpu.burst", "cpu.max.burst", c.Burst)
	set(&a, "cpu.idle", "cpu.idle", c.Idle)
	return a.writes, nil
}

// cpuMax joins quota and period. A quota alone keeps the period that is; to a period
// alone the quota cannot be left out, and no limit is what a new cgroup has.
func cpuMax(c *specs.LinuxCPU) (Write, bool) {
	hasPeriod := c.Period != nil && *c.Period != 0
	if !isSet(c.Quota) && !hasPeriod {
		return Write{}, false
	}
	value, from := "max", ""
	if isSet(c.Quota) {
		value, from = orMax(*c.Quota), setting("cpu.quota", *c.Quota)
	}
	if hasPeriod {
		value += " " + strconv.FormatUint(*c.Period, 10)
		if from != "" {
			from += ", "
		}
		from += setting("cpu.period", *c.Period)
	}
	return cpuWrite("cpu.max", value, from), true
}

// checkCPU refuses what the specification forbids (config-linux.md, "CPU").
func checkCPU(c *specs.LinuxCPU) error {
	if c.Quota != nil && *c.Quota < unlimited {
		return fmt.Errorf("%s: neither microseconds nor -1 for no limit",
			setting("cpu.quota", *c.Quota))
	}
	if c.Idle != nil && *c.Idle != 0 && *c.Idle != 1 {
		return fmt.Errorf("%s: neither 0 nor 1", setting("cpu.idle", *c.Idle))
	}
	if c.Burst != nil && c.Quota != nil && *c.Quota > 0 && *c.Burst > uint64(*c.Quota) {
		return fmt.Errorf("%s: larger than cpu.quota %d", setting("cpu.burst", *c.Burst), *c.Quota)
	}
	return nil
}

// weighs reports whether shares are to be written. The weight of an idle cgroup is
// the kernel's own, and it refuses another one.
func weighs(c *specs.LinuxCPU) bool {
	isIdle := c.Idle != nil && *c.Idle == 1
	return c.Shares != nil && *c.Shares != 0 && !isIdle
}

// weightOf converts version 1's shares, from 2 over 1024 to 262144, to version 2's
// weight, from 1 over 100 to 10000. No straight line meets all three pairs: with one
// through the ends, the usual 1024 would be 39, less than everybody else's 100. The
// curve is the quadratic in logarithms on which runc, crun and Kubernetes agreed:
//
//	l = log2(shares);  weight = ceil(10^((l² + 125·l)/612 − 7/34))
func weightOf(shares uint64) uint64 {
	const least, most, mostWeight = 2, 262144, 10000
	switch {
	case shares <= least:
		return 1
	case shares >= most:
		return mostWeight
	}
	l := math.Log2(float64(shares))
	return uint64(math.Ceil(math.Pow(10, (l*l+125*l)/612-7.0/34)))
}

// cpuWrite is a write to a file of the cpu controller.
func cpuWrite(file, value, from string) Write {
	return Write{Controller: "cpu", File: file, Value: value, From: from}
}
