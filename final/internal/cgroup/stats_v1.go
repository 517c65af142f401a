package cgroup

import "strings"

// readV1 reads what a controller of version 1 counts.
func (s *Stats) readV1(r *reader, controller string) {
	switch controller {
	case "cpu":
		// nr_periods 0
		// nr_throttled 0
		// throttled_time 0
		stat := r.keyed("cpu.stat")
		s.CPU.Throttling = Throttling{
			stat["nr_periods"], stat["nr_throttled"], stat["throttled_time"],
		}
	case "cpuacct":
		s.CPU.Usage = r.cpuacct()
	case "cpuset":
		s.CPUSet = CPUSet{r.list("cpuset.effective_cpus"), r.list("cpuset.effective_mems")}
	case "memory":
		s.Memory = r.memoryV1()
	case "pids":
		s.Pids = r.pids()
	case "blkio":
		s.Blkio = r.blkioV1()
	case "hugetlb":
		for _, size := range r.huge("hugetlb.*[KMG]B.usage_in_bytes") {
			name := "hugetlb." + size + "."
			s.Hugetlb[size] = Hugetlb{
				Usage:   r.number(name + "usage_in_bytes"),
				Max:     r.number(name + "max_usage_in_bytes"),
				Failcnt: r.number(name + "failcnt"),
			}
		}
	}
}

// cpuacct reads the time of each processor, in nanoseconds, below a title:
//
//	cpu user system
//	0 1391063 2103
//	1 0 0
func (r *reader) cpuacct() CPUUsage {
	u := CPUUsage{Total: r.number("cpuacct.usage")}
	for _, words := range r.lines("cpuacct.usage_all") {
		if len(words) < 3 || words[0] == "cpu" {
			continue
		}
		user, err := number(words[1])
		r.failed(err)
		kernel, err := number(words[2])
		r.failed(err)
		u.PercpuUser, u.PercpuKernel = append(u.PercpuUser, user), append(u.PercpuKernel, kernel)
		u.Percpu = append(u.Percpu, user+kernel)
		u.User, u.Kernel = u.User+user, u.Kernel+kernel
	}
	return u
}

// memoryV1 reads four kinds of memory, each with the same four files.
func (r *reader) memoryV1() Memory {
	entry := func(kind string) MemoryEntry {
		return MemoryEntry{
			Limit:   r.number("memory." + kind + "limit_in_bytes"),
			Usage:   r.number("memory." + kind + "usage_in_bytes"),
			Max:     r.number("memory." + kind + "max_usage_in_bytes"),
			Failcnt: r.number("memory." + kind + "failcnt"),
		}
	}
	m := Memory{
		Usage: entry(""), Swap: entry("memsw."), Kernel: entry("kmem."),
		KernelTCP: entry("kmem.tcp."), Raw: r.keyed("memory.stat"),
	}
	m.Cache = m.Raw["cache"]
	return m
}

// blkioV1 reads what each device did, by the scheduler BFQ if that was in charge:
//
//	8:0 Read 4096
//	8:0 Write 0
//	Total 4096
func (r *reader) blkioV1() Blkio {
	read := func(file string) []BlkioEntry {
		for _, prefix := range []string{"blkio.bfq.", "blkio.throttle."} {
			if entries := r.blkioEntries(prefix + file); len(entries) > 0 {
				return entries
			}
		}
		return nil
	}
	return Blkio{
		IoServiceBytesRecursive: read("io_service_bytes_recursive"),
		IoServicedRecursive:     read("io_serviced_recursive"),
	}
}

func (r *reader) blkioEntries(file string) []BlkioEntry {
	var list []BlkioEntry
	for _, words := range r.lines(file) {
		if len(words) == 3 && strings.Contains(words[0], ":") {
			value, err := number(words[2])
			r.failed(err)
			list = append(list, r.blkioEntry(words[0], words[1], value))
		}
	}
	return list
}

// blkioEntry reads a device's numbers: 8:0.
func (r *reader) blkioEntry(device, op string, value uint64) BlkioEntry {
	major, minor, _ := strings.Cut(device, ":")
	e := BlkioEntry{Op: op, Value: value}
	var err error
	e.Major, err = number(major)
	r.failed(err)
	e.Minor, err = number(minor)
	r.failed(err)
	return e
}
