package plan

import (
	"fmt"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// The titles of the course under which the operations stand.
const (
	TitleExec    = "00-exec: a command and its surroundings"
	TitleUTS     = "01-uts: a name of its own"
	TitlePID     = "02-pid: a process of its own"
	TitleMount   = "03-mount: a root of its own"
	TitleNet     = "04-net: a network of its own"
	TitleCgroups = "05-cgroups: limits"
	TitleVolumes = "07-volumes: files of the host"
	TitleUser    = "08-user: rights"
)

// OpenBinary makes a read-only clone of this program's own file, from which init is
// executed. A container that opens /proc/PID/exe for writing finds the clone.
type OpenBinary struct{}

// Words tell about it.
func (OpenBinary) Words() Words {
	return Words{
		Does: "make a read-only clone of minirun's own file",
		Call: `open_tree(AT_FDCWD, "/proc/self/exe", OPEN_TREE_CLONE); ` +
			`mount_setattr(…, MOUNT_ATTR_RDONLY)`,
		Man: "mount_setattr(2)",
	}
}

// Listen opens the socket by which `start` finds init. While init lives and was not
// started, a connection is accepted; once it is dead, one is refused.
type Listen struct{}

// Words tell about it.
func (Listen) Words() Words {
	return Words{
		Does: "listen for start",
		Call: `bind(socket(AF_UNIX, SOCK_STREAM), "STATE/start"); listen(…)`,
		Man:  "unix(7)",
		Undo: "unlink STATE/start",
	}
}

// DialConsole connects to the socket that waits for the terminal.
type DialConsole struct{}

// Words tell about it.
func (DialConsole) Words() Words {
	return Words{
		Does: "connect to the console socket",
		Call: `connect(socket(AF_UNIX, SOCK_STREAM), "CONSOLE-SOCKET")`,
		Man:  "unix(7)",
	}
}

// Join takes the thread that clones next into an existing namespace.
type Join struct {
	Type specs.LinuxNamespaceType `json:"type"`
	Path string                   `json:"path"`
}

// Words tell about it.
func (j Join) Words() Words {
	return Words{
		Does:  fmt.Sprintf("join the %s namespace %s", j.Type, j.Path),
		Call:  fmt.Sprintf("setns(open(%q), %s)", j.Path, cloneFlag(j.Type)),
		Shell: fmt.Sprintf("nsenter --%s=%s …", toolName(j.Type), j.Path),
		Man:   "setns(2)",
	}
}

// Clone makes init, in new namespaces, and executes minirun once more as init.
type Clone struct {
	Namespaces []specs.LinuxNamespaceType `json:"namespaces"`
	UIDs       []specs.LinuxIDMapping     `json:"uids,omitempty"`
	GIDs       []specs.LinuxIDMapping     `json:"gids,omitempty"`
	IntoCgroup bool                       `json:"intoCgroup,omitempty"`
	// UID and GID are who init is, in its user namespace, until it is the user.
	UID uint32 `json:"uid,omitempty"`
	GID uint32 `json:"gid,omitempty"`
	// Offsets are what the clocks of a time namespace are ahead by.
	Offsets map[string]specs.LinuxTimeOffset `json:"offsets,omitempty"`
}

// Words tell about it.
func (c Clone) Words() Words {
	flags := make([]string, 0, len(c.Namespaces)+1)
	tools := []string{"unshare", "--fork"}
	for _, kind := range c.Namespaces {
		flags = append(flags, cloneFlag(kind))
		tools = append(tools, "--"+toolName(kind))
	}
	if c.IntoCgroup {
		flags = append(flags, "CLONE_INTO_CGROUP")
	}
	if len(flags) == 0 {
		flags = []string{"0"}
	}
	for _, m := range c.UIDs {
		tools = append(tools, fmt.Sprintf("--map-users=%d,%d,%d", m.HostID, m.ContainerID, m.Size))
	}
	for _, m := range c.GIDs {
		tools = append(tools, fmt.Sprintf("--map-groups=%d,%d,%d", m.HostID, m.ContainerID, m.Size))
	}
	as := ""
	if c.UID != 0 || c.GID != 0 {
		as = fmt.Sprintf("setresgid(%d, …); setresuid(%d, …); ", c.GID, c.UID)
	}
	return Words{
		Does: "clone init",
		Call: fmt.Sprintf("clone3({flags=%s}); %sexecve(\"fd:binary\", [\"init\"])",
			or(flags), as),
		Shell: strings.Join(append(tools, "minirun", "init"), " "),
		Man:   "clone(2)",
		Undo:  "kill(pid:init, SIGKILL)",
	}
}

// WriteMaps says whom the ids of init's user namespace stand for. It is part of the
// Clone before it: init does not go on before it is done.
type WriteMaps struct {
	UIDs []specs.LinuxIDMapping `json:"uids"`
	GIDs []specs.LinuxIDMapping `json:"gids"`
}

// Words tell about it.
func (w WriteMaps) Words() Words {
	return Words{
		Does: "write the maps of init's user namespace",
		Call: fmt.Sprintf("write(\"/proc/INIT/uid_map\", %q); write(\"/proc/INIT/gid_map\", %q)",
			mapText(w.UIDs), mapText(w.GIDs)),
		Shell: fmt.Sprintf("echo %q > /proc/INIT/uid_map", mapText(w.UIDs)),
		Man:   "user_namespaces(7)",
	}
}

// mapText is a map as the kernel takes it: inside, outside, how many.
//
//	0 100000 65536
func mapText(all []specs.LinuxIDMapping) string {
	lines := make([]string, len(all))
	for i, m := range all {
		lines[i] = fmt.Sprintf("%d %d %d", m.ContainerID, m.HostID, m.Size)
	}
	return strings.Join(lines, "\n")
}

// OOMScore makes init more or less likely to be killed when memory runs out.
type OOMScore struct {
	Value int `json:"value"`
}

// Words tell about it.
func (o OOMScore) Words() Words {
	return Words{
		Does:  fmt.Sprintf("set oom_score_adj of init to %d", o.Value),
		Call:  fmt.Sprintf("write(\"/proc/INIT/oom_score_adj\", \"%d\")", o.Value),
		Shell: fmt.Sprintf("choom -p INIT -n %d", o.Value),
		Man:   "proc_pid_oom_score_adj(5)",
	}
}

// Created is the last point at which init waits before it waits for start.
const Created = "created"

// Sync is where the two sides wait for each other. Either end that finds the other
// dead ends, too.
type Sync struct {
	Point string `json:"point"`
}

// Words tell about it.
func (s Sync) Words() Words {
	return Words{
		Does: "meet the other side: " + s.Point,
		Call: "read(sync); write(sync)", Man: "socketpair(2)",
	}
}

// Hooks runs programs of the configuration, with the container's state on stdin.
type Hooks struct {
	Name  string       `json:"name"`
	Hooks []specs.Hook `json:"hooks"`
}

// Words tell about it.
func (h Hooks) Words() Words {
	paths := make([]string, len(h.Hooks))
	for i, hook := range h.Hooks {
		paths[i] = hook.Path
	}
	return Words{
		Does:  "run the hooks " + h.Name,
		Call:  fmt.Sprintf("execve(%s)", strings.Join(paths, "); execve(")),
		Shell: strings.Join(paths, " <STATE && ") + " <STATE",
		Man:   "execve(2)",
	}
}

// NewSession makes init the leader of a session of its own.
type NewSession struct{}

// Words tell about it.
func (NewSession) Words() Words {
	return Words{Does: "make a new session", Call: "setsid()", Shell: "setsid …", Man: "setsid(2)"}
}

// NewKeyring gives init a session keyring that is not the caller's.
type NewKeyring struct {
	Name string `json:"name"`
}

// Words tell about it.
func (k NewKeyring) Words() Words {
	return Words{
		Does:  "make a session keyring",
		Call:  fmt.Sprintf("keyctl(KEYCTL_JOIN_SESSION_KEYRING, %q)", k.Name),
		Shell: "keyctl session " + k.Name,
		Man:   "keyctl(2)",
	}
}

// AwaitStart is where init waits until `start` connects.
type AwaitStart struct{}

// Words tell about it.
func (AwaitStart) Words() Words {
	return Words{Does: "wait for start", Call: "accept4(fd:start)", Man: "accept(2)"}
}

// SendStart connects to init and learns how its execve(2) went: the connection ends
// when that succeeds, else it carries the error.
type SendStart struct{}

// Words tell about it.
func (SendStart) Words() Words {
	return Words{
		Does: "tell init to start",
		Call: `connect(socket(AF_UNIX, SOCK_STREAM), "STATE/start"); read(…)`,
		Man:  "unix(7)",
	}
}

// CloneFlag returns the flag of clone(2) for a namespace.
func CloneFlag(kind specs.LinuxNamespaceType) uintptr {
	return map[specs.LinuxNamespaceType]uintptr{
		specs.PIDNamespace: unix.CLONE_NEWPID, specs.NetworkNamespace: unix.CLONE_NEWNET,
		specs.MountNamespace: unix.CLONE_NEWNS, specs.IPCNamespace: unix.CLONE_NEWIPC,
		specs.UTSNamespace: unix.CLONE_NEWUTS, specs.UserNamespace: unix.CLONE_NEWUSER,
		specs.CgroupNamespace: unix.CLONE_NEWCGROUP, specs.TimeNamespace: unix.CLONE_NEWTIME,
	}[kind]
}

// cloneFlag returns the name of that flag.
func cloneFlag(kind specs.LinuxNamespaceType) string {
	switch kind {
	case specs.NetworkNamespace:
		return "CLONE_NEWNET"
	case specs.MountNamespace:
		return "CLONE_NEWNS"
	default:
		return "CLONE_NEW" + strings.ToUpper(string(kind))
	}
}

// toolName returns what unshare(1) and nsenter(1) call a namespace.
func toolName(kind specs.LinuxNamespaceType) string {
	if kind == specs.NetworkNamespace {
		return "net"
	}
	return string(kind)
}

// or joins flags as C does.
func or(flags []string) string { return strings.Join(flags, "|") }
