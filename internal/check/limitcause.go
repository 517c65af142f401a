//go:build linux

package check

import (
	"os"
	"slices"
	"strings"
)

// noLimitCause knows why a program with limits gives up: it has met a kernel that is
// not as it thinks. The calls by which it makes, opens and writes the files of a
// cgroup tell:
//
//	openat(AT_FDCWD, "/sys/fs/cgroup/memory.max", O_WRONLY|O_CLOEXEC) = -1 ENOENT (…)
//	write(7</sys/fs/cgroup/memory/lab-9/memory.memsw.limit_in_bytes>, …) = -1 EINVAL (…)
func noLimitCause(_ *Subject, r *remains) bool {
	if !slices.Contains(r.held.flags, "-memory") {
		return false
	}
	host, err := groupsOf(os.Getpid())
	if err != nil {
		return false
	}
	top := host["memory"].mount
	switch v := host["memory"].version; {
	case r.changed(top+"/memory.max", top+"/cpu.max", top+"/pids.max"):
		return r.names("limit-on-the-parent", "The limit was to be written to the cgroup around "+
			"the container's, which is the top here, and that has none. "+
			"It belongs into the container's own.", "ls "+top)
	case r.refused("EINVAL", "write", "pwrite64") && r.changed("memsw"):
		return r.names("memsw-before-limit", "The limit of memory and swap together may at no "+
			"time be below that of memory: of two new limits, write memory.limit_in_bytes first.",
			"")
	case v == 2 && r.looked("limit_in_bytes", "cpu.cfs_", "cpu.shares", "/tasks",
		"cgroup/memory/", "cgroup/pids/"):
		return r.names("v1-path-on-v2", "That is a name of cgroup version 1, and this machine has "+
			"version 2: one directory for all controllers, with memory.max, cpu.max and pids.max.",
			"grep cgroup /proc/self/mountinfo")
	case v == 1 && r.looked("memory.max\"", "cpu.max\"", "subtree_control", "fs/cgroup/lab"):
		return r.names("v2-path-on-v1", "That is a name of cgroup version 2, and here version 1 "+
			"has the controller: a directory for each, with memory.limit_in_bytes and others.",
			"grep cgroup /proc/self/mountinfo")
	}
	return false
}

// changed reports whether the kernel refused to change a file whose path has one of
// some parts. Files that are only read may be missing.
func (r *remains) changed(parts ...string) bool {
	changes := []string{"O_WRONLY", "O_RDWR", "write(", "pwrite64(", "mkdirat(", "mkdir("}
	return slices.ContainsFunc(r.failed, func(call Traced) bool {
		return containsAny(call.Text, changes...) && containsAny(call.Text, parts...)
	})
}

// looked reports whether the program was told that there is no file whose path has
// one of some parts, or that none can be made there.
func (r *remains) looked(parts ...string) bool {
	return slices.ContainsFunc(r.failed, func(call Traced) bool {
		none := slices.Contains([]string{"ENOENT", "EACCES", "EPERM"}, call.Errno)
		return none && containsAny(call.Text, parts...)
	})
}

// containsAny reports whether a text contains one of some words.
func containsAny(text string, words ...string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) })
}
