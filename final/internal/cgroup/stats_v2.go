package cgroup

import "strings"

// readV2 reads what a controller of version 2 counts.
func (s *Stats) readV2(r *reader, controller string) {
	switch controller {
	case "cpu":
		s.CPU = r.cpuV2()
	case "cpuset":
		s.CPUSet = CPUSet{r.list("cpuset.cpus.effective"), r.list("cpuset.mems.effective")}
	case "memory":
		s.Memory = r.memoryV2()
	case "pids":
		s.Pids = r.pids()
	case "io":
		s.Blkio = r.ioV2()
	case "hugetlb":
		for _, size := range r.huge("hugetlb.*[KMG]B.current") {
			name := "hugetlb." + size + "."
			s.Hugetlb[size] = Hugetlb{
				Usage: r.number(name + "current"), Failcnt: r.keyed(name + "events")["max"],
			}
		}
	}
}

// cpuV2 reads cpu.stat, where times are microseconds:
//
//	usage_usec 1391
//	user_usec 1000
//	system_usec 391
//	nr_periods 10
func (r *reader) cpuV2() CPU {
	const micro = 1000
	stat := r.keyed("cpu.stat")
	return CPU{
		Usage: CPUUsage{
			Total:  stat["usage_usec"] * micro,
			User:   stat["user_usec"] * micro,
			Kernel: stat["system_usec"] * micro,
		},
		Throttling: Throttling{
			Periods:          stat["nr_periods"],
			ThrottledPeriods: stat["nr_throttled"],
			ThrottledTime:    stat["throttled_usec"] * micro,
		},
		PSI: r.pressure("cpu.pressure"),
	}
}

// memoryV2 reads memory and swap, and adds them up as version 1 does. The most that
// was used is known since Linux 5.19, of swap since 6.5.
func (r *reader) memoryV2() Memory {
	m := Memory{
		Usage: MemoryEntry{
			Limit: r.number("memory.max"), Usage: r.number("memory.current"),
			Max: r.number("memory.peak"), Failcnt: r.keyed("memory.events")["max"],
		},
		Swap: MemoryEntry{
			Limit: r.number("memory.swap.max"), Usage: r.number("memory.swap.current"),
			Max: r.number("memory.swap.peak"), Failcnt: r.keyed("memory.swap.events")["max"],
		},
		Raw: r.keyed("memory.stat"),
		PSI: r.pressure("memory.pressure"),
	}
	m.Swap.Usage += m.Usage.Usage
	m.Swap.Limit += m.Usage.Limit
	if m.Swap.Limit < m.Usage.Limit || m.Usage.Limit == noLimit {
		m.Swap.Limit = noLimit
	}
	m.Kernel.Usage, m.Kernel.Limit = m.Raw["kernel"], noLimit
	m.KernelTCP.Usage, m.KernelTCP.Limit = m.Raw["sock"], noLimit
	m.Cache = m.Raw["file"]
	return m
}

// ioV2 reads what each device did:
//
//	8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0
func (r *reader) ioV2() Blkio {
	b := Blkio{PSI: r.pressure("io.pressure")}
	names := map[string]string{"r": "Read", "w": "Write", "d": "Discard"}
	for _, words := range r.lines("io.stat") {
		for _, word := range words[1:] {
			key, value, _ := strings.Cut(word, "=")
			n, err := number(value)
			if name := names[key[:min(1, len(key))]]; name != "" && !r.failed(err) {
				e := r.blkioEntry(words[0], name, n)
				switch key[1:] {
				case "bytes":
					b.IoServiceBytesRecursive = append(b.IoServiceBytesRecursive, e)
				case "ios":
					b.IoServicedRecursive = append(b.IoServicedRecursive, e)
				}
			}
		}
	}
	return b
}
