//go:build linux

package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"lab/final/internal/kernel"

	"golang.org/x/sys/unix"
)

// ReadHost looks at this machine.
func ReadHost() (Host, error) {
	mounts, err := kernel.Read("/proc/self/mountinfo")
	if err != nil {
		return Host{}, fmt.Errorf("find the cgroup mounts: %w", err)
	}
	own, err := kernel.Read("/proc/self/cgroup")
	if err != nil {
		return Host{}, fmt.Errorf("find this process's cgroups: %w", err)
	}
	h, err := parseHost(uncovered(string(mounts)), string(own))
	if err != nil {
		return Host{}, err
	}
	for i := range h.Hierarchies {
		if v2 := &h.Hierarchies[i]; v2.Version == 2 {
			text, err := kernel.Read(filepath.Join(v2.Mount, "cgroup.controllers"))
			if err != nil {
				return Host{}, fmt.Errorf("find the controllers of version 2: %w", err)
			}
			v2.Controllers = strings.Fields(string(text))
		}
	}
	running, statErr := os.Lstat("/run/systemd/system") // sd_booted(3)
	h.Systemd = statErr == nil && running.IsDir()
	h.Rootless, err = isRootless()
	return h, err
}

// uncovered are the mounts of cgroups, but those that cannot be reached, since another
// one lies over them or over a directory above:
//
//	41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
//	97 41 0:61 / /sys/fs/cgroup/unified rw,relatime - tmpfs tmpfs rw
func uncovered(mountinfo string) string {
	var left strings.Builder
	for line := range strings.Lines(mountinfo) {
		if !strings.Contains(line, " - cgroup") {
			continue
		}
		fields := strings.Fields(line)
		if len(fields) < 5 || isCovered(fields[0], unescape(fields[4])) {
			continue
		}
		left.WriteString(line)
	}
	return left.String()
}

// isCovered asks the kernel which mount is at a path. Before Linux 5.8 it does not say.
func isCovered(id, path string) bool {
	var stat unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, unix.AT_NO_AUTOMOUNT, unix.STATX_MNT_ID, &stat)
	told := err == nil && stat.Mask&unix.STATX_MNT_ID != 0
	return err != nil || told && fmt.Sprint(stat.Mnt_id) != id
}

// isRootless tells the machine's root from others by the map of user ids. Only the
// first user namespace has all of them:
//
//	0          0 4294967295
func isRootless() (bool, error) {
	text, err := kernel.Read("/proc/self/uid_map")
	if errors.Is(err, os.ErrNotExist) {
		return os.Geteuid() != 0, nil // a kernel without user namespaces
	}
	if err != nil {
		return false, fmt.Errorf("find the user namespace: %w", err)
	}
	first := slices.Equal(strings.Fields(string(text)), []string{"0", "0", "4294967295"})
	return !first || os.Geteuid() != 0, nil
}
