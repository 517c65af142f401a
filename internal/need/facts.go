// Package need knows what this machine can do: which kernel it is, how its
// cgroups are mounted, whether an ordinary user may make a user namespace,
// which tools are there. `lab doctor` prints it, and tests that cannot run
// without one of these things ask for it by name:
//
//	need.Sandbox(t)
//	need.Cgroup(t, "memory", "pids")
//	need.Tool(t, "nft", "nftables")
//
// A helper skips with a reason that names the missing thing and where to get
// it. It does not skip what cannot be missing: where the lane of CI promises
// the thing (LAB_LANE), or the kernel itself says that it has it, the test
// fails instead, so that no skip hides a regression.
//
// Facts are read from /proc and /sys, never guessed from directory names. See
// proc_pid_mountinfo(5), cgroups(7), user_namespaces(7).
package need

// SandboxMark is the source of the file system that internal/sandbox mounts
// on /run, by which a process sees that it runs in a throw-away host:
//
//	60 27 0:50 / /run rw,nosuid,nodev - tmpfs lab-sandbox rw,mode=755
const SandboxMark = "lab-sandbox"

// Facts is what a machine can do, as seen by one of its processes.
type Facts struct {
	OS         string            `json:"os"`
	Arch       string            `json:"arch"`
	Kernel     string            `json:"kernel"`
	UID        int               `json:"uid"`
	Root       bool              `json:"root"`      // uid 0 and able to mount
	RealRoot   bool              `json:"real_root"` // the same, in no user namespace
	Sandbox    bool              `json:"sandbox"`   // inside internal/sandbox
	Cgroups    Cgroups           `json:"cgroups"`
	Namespaces map[string]bool   `json:"namespaces"` // by name in /proc/self/ns
	Overlay    Ability           `json:"overlay"`
	UserNS     Ability           `json:"user_namespaces"`
	Systemd    bool              `json:"systemd"`
	Tools      map[string]string `json:"tools"` // absolute paths; absent if not found
}

// Ability is something the machine can or cannot do.
type Ability struct {
	OK  bool   `json:"ok"`
	Why string `json:"why"` // the evidence, for both answers
	// Setting names the sysctl that stands in the way, such as
	// kernel.unprivileged_userns_clone; empty if none does.
	Setting string `json:"setting,omitempty"`
	Value   string `json:"value,omitempty"` // what the setting must be
}

// Cgroups is how control groups are mounted.
type Cgroups struct {
	// Mode is "v1", "hybrid" (v1 controllers beside a cgroup2 mount), "v2", or
	// "none".
	Mode        string                `json:"mode"`
	Controllers map[string]Controller `json:"controllers"`
	Hierarchies []Hierarchy           `json:"hierarchies"`
	// Delegated is the directory in which this process may make cgroups though
	// it is not root; empty if there is none.
	Delegated string `json:"delegated,omitempty"`
}

// Controller is a resource that a cgroup can limit, and where it was found.
type Controller struct {
	Version int    `json:"version"` // 1 or 2
	Mount   string `json:"mount"`
	Source  string `json:"source"` // the file that says so
}

// Hierarchy is one mounted tree of cgroups.
type Hierarchy struct {
	Version     int      `json:"version"` // 1 or 2
	Mount       string   `json:"mount"`
	Root        string   `json:"root"` // the cgroup that is seen at Mount
	Own         string   `json:"own"`  // this process's cgroup, as in /proc/self/cgroup
	Controllers []string `json:"controllers"`
}
