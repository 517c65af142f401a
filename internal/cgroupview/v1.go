//go:build linux

package cgroupview

// onOff are the meanings of a switch.
func onOff(off, on string) func(string, map[string]string) string {
	return when(map[string]string{"0": off, "1": on})
}

// v1 are the files of version 1 that matter, by controller.
var v1 = []entry{
	{
		name: "memory.limit_in_bytes", kind: bytes,
		phrase: "memory above it is reclaimed, then the OOM killer comes",
	},
	{
		name: "memory.usage_in_bytes", kind: bytes,
		phrase: "memory charged now, page cache included",
		mean:   share("memory.limit_in_bytes"),
	},
	{
		name: "memory.max_usage_in_bytes", kind: bytes,
		phrase: "the most that was ever charged",
		mean:   share("memory.limit_in_bytes"),
	},
	{name: "memory.failcnt", phrase: "how often the limit was hit"},
	{name: "memory.memsw.limit_in_bytes", kind: bytes, phrase: "limit of memory and swap together"},
	{
		name: "memory.memsw.usage_in_bytes", kind: bytes,
		phrase: "memory and swap in use",
		mean:   share("memory.memsw.limit_in_bytes"),
	},
	{name: "memory.memsw.failcnt", phrase: "how often the limit with swap was hit"},
	{
		name: "memory.soft_limit_in_bytes", kind: bytes,
		phrase: "reclaimed down to it when the host is short",
	},
	{
		name: "memory.kmem.usage_in_bytes", kind: bytes,
		phrase: "the kernel's own memory for it, such as page tables",
	},
	{name: "memory.swappiness", phrase: "how gladly it is swapped out: 0 hardly, 100 much"},
	{
		name: "memory.oom_control", kind: keyed,
		phrase: "what happens at the limit, and how often a process was killed",
		mean:   counted("oom_kill", "%s killed"),
	},
	{name: "memory.use_hierarchy", phrase: "its children's memory counts here as well"},

	{name: "cpu.cfs_quota_us", phrase: "processor time in each period", mean: quota1},
	{name: "cpu.cfs_period_us", kind: micros, phrase: "how long a period is"},
	{name: "cpu.cfs_burst_us", kind: micros, phrase: "time saved up from idle periods"},
	{name: "cpu.shares", phrase: "weight against its siblings when all are busy; 1024 is usual"},
	{name: "cpu.idle", phrase: "runs only when nobody else wants to", mean: onOff("no", "yes")},
	{name: "cpu.rt_runtime_us", kind: micros, phrase: "time for real-time tasks in each rt_period"},
	{
		name: "cpu.stat", kind: keyed,
		phrase: "periods, how many of them ran out of quota, nanoseconds waited",
		mean:   counted("nr_throttled", "throttled in %s periods"),
	},

	{name: "cpuacct.usage", kind: nanos, phrase: "processor time used so far"},
	{name: "cpuacct.usage_user", kind: nanos, phrase: "of it in the program"},
	{name: "cpuacct.usage_sys", kind: nanos, phrase: "of it in the kernel"},

	{name: "cpuset.cpus", phrase: "processors asked for"},
	{name: "cpuset.effective_cpus", phrase: "processors it may run on"},
	{name: "cpuset.mems", phrase: "memory nodes asked for"},
	{name: "cpuset.effective_mems", phrase: "memory nodes it may use"},
	{
		name:   "cpuset.cpu_exclusive",
		phrase: "siblings may not have the same processors",
		mean:   onOff("no", "yes"),
	},

	{
		name:   "pids.max",
		phrase: "how many tasks, threads included; above it fork is EAGAIN",
		mean:   when(map[string]string{"max": "no limit"}),
	},
	{name: "pids.current", phrase: "tasks now", mean: share("pids.max")},
	{name: "pids.peak", phrase: "the most tasks there ever were", mean: share("pids.max")},
	{
		name: "pids.events", kind: keyed,
		phrase: "how often a fork was refused",
		mean:   counted("max", "%s refused"),
	},

	{
		name:   "devices.list",
		phrase: "devices that may be opened or made: type major:minor read write mknod",
		mean:   when(map[string]string{"a *:* rwm": "all"}),
	},

	{
		name:   "freezer.state",
		phrase: "whether its tasks may run",
		mean: when(map[string]string{
			"THAWED": "they run", "FROZEN": "they stand still, signals wait",
			"FREEZING": "about to stop",
		}),
	},
	{name: "freezer.parent_freezing", phrase: "an ancestor is frozen", mean: onOff("no", "yes")},

	{name: "blkio.weight", phrase: "weight against its siblings at a disk"},
	{name: "blkio.bfq.weight", phrase: "weight against its siblings at a disk"},
	{name: "blkio.throttle.read_bps_device", phrase: "limits of bytes read in a second, by device"},
	{name: "blkio.throttle.write_bps_device", phrase: "limits of bytes written in a second"},
	{name: "blkio.throttle.read_iops_device", phrase: "limits of reads in a second"},
	{name: "blkio.throttle.write_iops_device", phrase: "limits of writes in a second"},
	{name: "blkio.throttle.io_service_bytes", phrase: "bytes read and written so far, by device"},

	{name: "hugetlb.*.limit_in_bytes", kind: bytes, phrase: "limit of huge pages of that size"},
	{name: "hugetlb.*.usage_in_bytes", kind: bytes, phrase: "huge pages of that size in use"},
	{name: "net_cls.classid", phrase: "the mark that its packets carry for tc(8) and nft(8)"},
	{name: "net_prio.ifpriomap", phrase: "the priority of its packets on each link"},
	{name: "rdma.max", phrase: "limits of RDMA handles and objects, by device"},
	{name: "rdma.current", phrase: "RDMA handles and objects in use"},
	{name: "misc.max", phrase: "limits of resources that few machines have"},
	{name: "misc.current", phrase: "how much of them is in use"},

	{
		name: "cgroup.clone_children", usual: "0",
		phrase: "new children begin as copies of it (cpuset only)",
		mean:   onOff("no", "yes"),
	},
	{
		name: "notify_on_release", usual: "0",
		phrase: "release_agent runs when the last task is gone",
		mean:   onOff("no", "yes"),
	},
	{name: "tasks", usual: "*", kind: members, phrase: "threads in it"},
	{name: "cgroup.procs", usual: "*", kind: members, phrase: "processes in it"},
}
