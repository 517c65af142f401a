//go:build linux

package trace

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// watch says, by a call's name, whether the call is one of those that make a
// container. Most are whatever their arguments; some only with certain ones.
func (t *tracer) watch(tk *task, c *Call) bool {
	switch c.Name {
	case "clone":
		return c.args[0]&unix.CLONE_THREAD == 0
	case "clone3":
		flags := readWords(ofTask(tk.tid), c.args[0], 8, 1)
		return len(flags) == 0 || flags[0]&unix.CLONE_THREAD == 0
	case "prctl":
		return slices.Contains(confining, c.args[0]&(1<<32-1))
	case "write", "writev", "pwrite64", "pwritev", "pwritev2":
		return matters(tk.proc.pid, int(int32(c.args[0])))
	case "mkdir", "mkdirat", "rmdir", "unlinkat":
		return t.isCgroupDirectory(tk, c)
	}
	return slices.Contains(candidates, c.Name)
}

// confining are the options of prctl(2) that take something away from a process or
// decide what becomes of it. The others name a thread or ask a question.
var confining = []uint64{
	unix.PR_SET_PDEATHSIG, unix.PR_SET_DUMPABLE, unix.PR_SET_KEEPCAPS, unix.PR_SET_SECCOMP,
	unix.PR_CAPBSET_DROP, unix.PR_SET_SECUREBITS, unix.PR_SET_CHILD_SUBREAPER,
	unix.PR_SET_NO_NEW_PRIVS, unix.PR_CAP_AMBIENT,
}

// settings are the files below /proc that are settings of a process or of a
// network namespace, in whatever place proc(5) is mounted.
//
//	/proc/4711/uid_map        /proc/self/setgroups
//	/proc/4711/task/4711/attr/exec
//	/proc/sys/net/ipv4/ip_forward
var settings = regexp.MustCompile(`/(uid_map|gid_map|projid_map|setgroups|timens_offsets|` +
	`oom_score_adj|attr/\w+)$|/sys/.`)

// matters reports whether a write to a descriptor sets up a container. What a
// descriptor leads to is known by its file system, not by where that is mounted.
func matters(pid, fd int) bool {
	path := descriptorPath(pid, fd)
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "/dev/") {
		return false // a pipe, a socket, a terminal
	}
	switch fileSystem(descriptorLink(pid, fd)) {
	case unix.CGROUP_SUPER_MAGIC, unix.CGROUP2_SUPER_MAGIC:
		return true
	case unix.PROC_SUPER_MAGIC:
		return settings.MatchString(path)
	}
	return false
}

// isCgroupDirectory reports whether a call makes or removes a cgroup.
func (t *tracer) isCgroupDirectory(tk *task, c *Call) bool {
	dirfd, at := int32(unix.AT_FDCWD), 0
	if strings.HasSuffix(c.Name, "at") {
		dirfd, at = int32(c.args[0]), 1
	}
	if c.Name == "unlinkat" && c.args[2]&unix.AT_REMOVEDIR == 0 {
		return false
	}
	name, _, ok := readString(ofTask(tk.tid), c.args[at], unix.PathMax)
	if !ok || name == "" {
		return false
	}
	switch fileSystem(filepath.Dir(outside(tk.proc.pid, dirfd, name))) {
	case unix.CGROUP_SUPER_MAGIC, unix.CGROUP2_SUPER_MAGIC:
		return true
	}
	return false
}

// fileSystem returns the magic number of the file system a path is on, or 0.
func fileSystem(path string) int64 {
	var stat unix.Statfs_t
	if unix.Statfs(path, &stat) != nil {
		return 0
	}
	return stat.Type
}
