//go:build linux

package trace

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// descriptorLink is the magic link of an open file; it leads to the file itself,
// in whatever mount namespace that is.
func descriptorLink(pid, fd int) string { return fmt.Sprintf("/proc/%d/fd/%d", pid, fd) }

// descriptorPath returns the path that the kernel gives an open file, such as
// /proc/4711/uid_map, socket:[12345] or anon_inode:[pidfd]; "" if unreadable.
func descriptorPath(pid, fd int) string {
	path, err := os.Readlink(descriptorLink(pid, fd))
	if err != nil {
		return ""
	}
	return path
}

// outside returns how we reach a path of a traced process: its own root and
// working directory stand in /proc.
func outside(pid int, dirfd int32, path string) string {
	switch {
	case filepath.IsAbs(path):
		return fmt.Sprintf("/proc/%d/root%s", pid, path)
	case dirfd == unix.AT_FDCWD:
		return fmt.Sprintf("/proc/%d/cwd/%s", pid, path)
	}
	return descriptorLink(pid, int(dirfd)) + "/" + path
}

// pidOf returns the process that a pidfd stands for, or 0.
//
//	Pid:	4711
func pidOf(pid, fd int) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%d", pid, fd))
	if err != nil {
		return 0
	}
	found := 0
	for line := range strings.Lines(string(text)) {
		if _, err := fmt.Sscanf(line, "Pid: %d", &found); err == nil {
			return max(found, 0)
		}
	}
	return 0
}

// ownDescriptor is a path that stands for an open file of whoever uses it: runtimes
// open a mount's target first, so that nobody can put a link in its place.
var ownDescriptor = regexp.MustCompile(`^/(?:proc/(?:self|thread-self)|dev)/fd/(\d+)$`)

// resolve returns where a path of the process leads to if it names a descriptor,
// and else the path itself.
func (p *process) resolve(path string) string {
	match := ownDescriptor.FindStringSubmatch(path)
	if match == nil {
		return path
	}
	fd, err := strconv.Atoi(match[1])
	if err != nil {
		return path
	}
	if file := descriptorPath(p.pid, fd); file != "" {
		return file
	}
	return path
}
