//go:build linux

package stage

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// kinds are the kinds of namespaces: the flag, its name, the file in /proc/PID/ns.
var kinds = [...]struct {
	flag       uintptr
	name, file string
}{
	{unix.CLONE_NEWUSER, "CLONE_NEWUSER", "user"},
	{unix.CLONE_NEWNS, "CLONE_NEWNS", "mnt"},
	{unix.CLONE_NEWPID, "CLONE_NEWPID", "pid"},
	{unix.CLONE_NEWNET, "CLONE_NEWNET", "net"},
	{unix.CLONE_NEWIPC, "CLONE_NEWIPC", "ipc"},
	{unix.CLONE_NEWUTS, "CLONE_NEWUTS", "uts"},
	{unix.CLONE_NEWCGROUP, "CLONE_NEWCGROUP", "cgroup"},
	{unix.CLONE_NEWTIME, "CLONE_NEWTIME", "time"},
}

// FlagNames writes flags of clone(2) as a program does.
//
//	CLONE_NEWUSER|CLONE_NEWNS
func FlagNames(flags uintptr) string {
	if flags == 0 {
		return "no flags"
	}
	var words []string
	for _, k := range kinds {
		if flags&k.flag != 0 {
			words = append(words, k.name)
			flags &^= k.flag
		}
	}
	if flags != 0 {
		words = append(words, fmt.Sprintf("%#x", flags))
	}
	return strings.Join(words, "|")
}

// Apart returns which namespaces of a process are not this one's, as CLONE_NEW… flags:
// those are to be joined. The kernel refuses to join one's own user namespace, and with
// the own mount namespace the working directory would change.
//
//	ls -l /proc/PID/ns
func Apart(pid int) (flags uintptr, err error) {
	for _, k := range kinds {
		var ours, theirs unix.Stat_t
		own := "/proc/thread-self/ns/" + k.file
		if err := unix.Stat(own, &ours); err != nil {
			if err == unix.ENOENT { // no such namespaces in this kernel
				continue
			}
			return 0, fmt.Errorf("stat %s: %w", own, err)
		}
		path := fmt.Sprintf("/proc/%d/ns/%s", pid, k.file)
		if err := unix.Stat(path, &theirs); err != nil {
			return 0, fmt.Errorf("stat %s: %w", path, err)
		}
		if ours.Dev != theirs.Dev || ours.Ino != theirs.Ino {
			flags |= k.flag
		}
	}
	return flags, nil
}

// isOurs reports whether this process is in the namespace already.
func (n Namespace) isOurs() (bool, error) {
	for _, k := range kinds {
		if k.flag != n.Kind {
			continue
		}
		var ours, theirs unix.Stat_t
		own := "/proc/thread-self/ns/" + k.file
		if err := unix.Stat(own, &ours); err != nil {
			return false, fmt.Errorf("stat %s: %w", own, err)
		}
		if err := unix.Fstat(int(n.File.Fd()), &theirs); err != nil {
			return false, fmt.Errorf("stat %s: %w", n.File.Name(), err)
		}
		return ours.Dev == theirs.Dev && ours.Ino == theirs.Ino, nil
	}
	return false, fmt.Errorf("join %s: %#x is no kind of namespace", n.File.Name(), n.Kind)
}

// Pidfd opens a process as a file: it stays that process, whatever becomes of the
// number.
func Pidfd(pid int) (*os.File, error) {
	if pid <= 1 {
		return nil, fmt.Errorf("pidfd_open %d: no process to join", pid)
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, fmt.Errorf("pidfd_open %d: %w", pid, err)
	}
	return os.NewFile(uintptr(fd), fmt.Sprintf("pidfd %d", pid)), nil
}
