//go:build linux

package cgroupview

// noLimit is what max means.
var noLimit = when(map[string]string{"max": "no limit"})

// v2 are the files of version 2 that matter, by controller.
var v2 = []entry{
	{
		name:   "cgroup.type",
		phrase: "what may be put into it",
		mean: when(map[string]string{
			"domain": "whole processes", "threaded": "single threads",
			"domain threaded": "the root of threads that are divided below",
			"domain invalid":  "nothing: a sibling is threaded",
		}),
	},
	{name: "cgroup.controllers", phrase: "what can be limited here: what the parent hands down"},
	{name: "cgroup.subtree_control", phrase: "what it hands down to its children"},
	{
		name: "cgroup.events", kind: keyed,
		phrase: "whether a live process is in it or below, and whether it is frozen",
	},
	{
		name:   "cgroup.freeze",
		phrase: "a 1 written here stops all its tasks",
		mean:   onOff("they run", "they stand still"),
	},
	{
		name: "cgroup.stat", kind: keyed,
		phrase: "cgroups below it, and such as are removed but still in use",
	},
	{
		name: "cgroup.max.descendants", usual: "max",
		phrase: "how many cgroups may be below it",
		mean:   noLimit,
	},
	{name: "cgroup.max.depth", usual: "max", phrase: "how deep", mean: noLimit},
	{name: "cgroup.procs", usual: "*", kind: members, phrase: "processes in it"},
	{name: "cgroup.threads", usual: "*", kind: members, phrase: "threads in it"},

	{
		name: "memory.max", kind: bytes,
		phrase: "memory above it is reclaimed, then the OOM killer comes",
	},
	{name: "memory.high", kind: bytes, phrase: "above it allocations wait for reclaim"},
	{name: "memory.low", kind: bytes, phrase: "below it reclaim spares it if others can give"},
	{name: "memory.min", kind: bytes, phrase: "below it reclaim takes nothing"},
	{
		name: "memory.current", kind: bytes,
		phrase: "memory charged now, page cache included",
		mean:   share("memory.max"),
	},
	{
		name: "memory.peak", kind: bytes,
		phrase: "the most that was ever charged",
		mean:   share("memory.max"),
	},
	{name: "memory.swap.max", kind: bytes, phrase: "limit of swap alone"},
	{
		name: "memory.swap.current", kind: bytes,
		phrase: "swap in use",
		mean:   share("memory.swap.max"),
	},
	{name: "memory.swap.events", kind: keyed, phrase: "how often swap was refused"},
	{name: "memory.zswap.current", kind: bytes, phrase: "memory that holds compressed swap"},
	{
		name: "memory.events", kind: keyed,
		phrase: "how often each limit was met, here and below",
		mean:   counted("oom_kill", "%s killed"),
	},
	{name: "memory.events.local", kind: keyed, phrase: "the same, here alone"},
	{
		name:   "memory.oom.group",
		phrase: "the OOM killer ends the whole cgroup",
		mean:   onOff("no, one process", "yes"),
	},
	{
		name: "memory.pressure", kind: waiting,
		phrase: "how much of the last 10 s some task waited for memory",
	},

	{
		name:   "cpu.max",
		phrase: "processor time, in microseconds, and the period that it is for",
		mean:   quota2,
	},
	{name: "cpu.max.burst", kind: micros, phrase: "time saved up from idle periods"},
	{name: "cpu.weight", phrase: "weight against its siblings when all are busy; 100 is usual"},
	{name: "cpu.idle", phrase: "runs only when nobody else wants to", mean: onOff("no", "yes")},
	{
		name: "cpu.stat", kind: keyed,
		phrase: "processor time in microseconds; periods that ran out of quota",
		mean:   counted("nr_throttled", "throttled in %s periods"),
	},
	{
		name: "cpu.pressure", kind: waiting,
		phrase: "how much of the last 10 s some task waited for a processor",
	},

	{name: "cpuset.cpus", phrase: "processors asked for"},
	{name: "cpuset.cpus.effective", phrase: "processors it may run on"},
	{name: "cpuset.mems", phrase: "memory nodes asked for"},
	{name: "cpuset.mems.effective", phrase: "memory nodes it may use"},
	{name: "cpuset.cpus.partition", phrase: "whether the processors are its alone"},

	{
		name:   "pids.max",
		phrase: "how many tasks, threads included; above it fork is EAGAIN",
		mean:   noLimit,
	},
	{name: "pids.current", phrase: "tasks now", mean: share("pids.max")},
	{name: "pids.peak", phrase: "the most tasks there ever were", mean: share("pids.max")},
	{
		name: "pids.events", kind: keyed,
		phrase: "how often a fork was refused",
		mean:   counted("max", "%s refused"),
	},

	{name: "io.max", phrase: "limits by device: bytes and operations in a second"},
	{name: "io.weight", phrase: "weight against its siblings at a disk"},
	{name: "io.latency", phrase: "how slow its disk may become before others are slowed down"},
	{name: "io.stat", phrase: "bytes and operations so far, by device"},
	{
		name: "io.pressure", kind: waiting,
		phrase: "how much of the last 10 s some task waited for a disk",
	},

	{name: "hugetlb.*.max", kind: bytes, phrase: "limit of huge pages of that size"},
	{name: "hugetlb.*.current", kind: bytes, phrase: "huge pages of that size in use"},
	{name: "rdma.max", phrase: "limits of RDMA handles and objects, by device"},
	{name: "rdma.current", phrase: "RDMA handles and objects in use"},
	{name: "misc.max", phrase: "limits of resources that few machines have"},
	{name: "misc.current", phrase: "how much of them is in use"},
}
