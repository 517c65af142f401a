//go:build linux

package trace

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// namespace is a kind of namespace in flags, in words and in unshare(1).
type namespace struct {
	flag   uint64
	own    string // what a process has for itself in one
	option string // of unshare(1) and nsenter(1)
	file   string // below /proc/PID/ns
}

// namespaces are all kinds, users first: they give the right to the others.
var namespaces = []namespace{
	{unix.CLONE_NEWUSER, "users", "--user", "user"},
	{unix.CLONE_NEWUTS, "host name", "--uts", "uts"},
	{unix.CLONE_NEWNS, "mounts", "--mount", "mnt"},
	{unix.CLONE_NEWPID, "process numbers", "--pid", "pid"},
	{unix.CLONE_NEWNET, "network", "--net", "net"},
	{unix.CLONE_NEWIPC, "message queues", "--ipc", "ipc"},
	{unix.CLONE_NEWCGROUP, "cgroup root", "--cgroup", "cgroup"},
	{unix.CLONE_NEWTIME, "clocks", "--time", "time"},
}

// among returns what flags give a process of its own, and the options for it.
func among(value uint64) (own, options []string) {
	for _, n := range namespaces {
		if value&n.flag != 0 {
			own, options = append(own, n.own), append(options, n.option)
		}
	}
	return own, options
}

// birthWords tell of a new process and what it has for itself.
func (c *Call) birthWords(p *process) words {
	value := uint64(0)
	switch c.Name {
	case "clone":
		value = c.arg(1).num
	case "clone3":
		value = c.arg(0).num
	}
	if value&unix.CLONE_THREAD != 0 {
		return words{verb: "start", rest: "a thread"}
	}
	who := "a process"
	if c.child != nil {
		who = fmt.Sprintf("process %d", c.child.pid)
	}
	w := words{verb: "start", rest: who}
	if own, options := among(value); len(own) > 0 {
		w.rest += " with its own " + enumerate(own)
		w.shell = "unshare --fork " + strings.Join(options, " ")
	}
	if c.child != nil {
		w.note = knownAs(c.child, p)
	}
	if value&unix.CLONE_INTO_CGROUP != 0 {
		w.rest += " in the cgroup " + c.arg(0).str
	}
	return w
}

// knownAs says which number a new process has where that is another one than
// ours for it.
func knownAs(child, parent *process) string {
	switch {
	case child.inner() == 0:
		return ""
	case len(child.levels) > len(parent.levels):
		return fmt.Sprintf("in there it is process %d", child.inner())
	}
	return fmt.Sprintf("both know it as process %d", child.inner())
}

// unshareWords tell what a process has for itself from now on. A new pid
// namespace, and one of clocks, is for its children.
func unshareWords(value uint64) words {
	const forChildren = unix.CLONE_NEWPID | unix.CLONE_NEWTIME
	own, options := among(value &^ forChildren)
	theirs, childOptions := among(value & forChildren)
	w := words{verb: "get", shell: command(append(append([]string{"unshare"}, options...),
		childOptions...)...)}
	switch {
	case len(own) > 0:
		w.rest = "its own " + enumerate(own)
		if len(theirs) > 0 {
			w.note = "its children get their own " + enumerate(theirs)
		}
	case len(theirs) > 0:
		w.rest = "own " + enumerate(theirs) + " for its children"
	case value&unix.CLONE_FS != 0:
		w.rest, w.shell = "a root and a working directory that no other thread changes", ""
	case value&unix.CLONE_FILES != 0:
		w.rest, w.shell = "a table of descriptors of its own", ""
	default:
		w.verb, w.rest, w.shell = "share", "as before", ""
	}
	if value&unix.CLONE_NEWPID != 0 {
		w.shell += " --fork"
	}
	return w
}

// setnsWords tell which namespace of whom a process enters. A descriptor is that
// of a namespace, or of a process with flags that say which of its namespaces.
//
//	setns(5</proc/4711/ns/net>, CLONE_NEWNET)    setns(6<net:[4026532008]>, 0)
//	setns(7<anon_inode:[pidfd]>, CLONE_NEWNS|CLONE_NEWPID)
func (c *Call) setnsWords(p *process) words {
	file, value := c.arg(0).str, c.arg(1).num
	if strings.Contains(file, "pidfd") {
		own, options := among(value)
		target := fmt.Sprint(pidOf(p.pid, int(c.arg(0).num)))
		return words{
			"enter", enumerate(own) + " of process " + target,
			command(append([]string{"nsenter", "--target", target}, options...)...), "",
		}
	}
	for _, n := range namespaces {
		kind, _, isLink := strings.Cut(file, ":[")
		if isLink && kind == n.file || value&n.flag != 0 ||
			strings.HasSuffix(file, "/ns/"+n.file) {
			return words{
				"enter", "another namespace (" + n.own + "): " + file,
				command("nsenter", n.option+"="+file), "",
			}
		}
	}
	return words{"enter", "the namespace " + file, "", ""}
}
