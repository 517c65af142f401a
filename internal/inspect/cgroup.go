//go:build linux

package inspect

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/sys/mountinfo"
)

// CgroupDir returns the directory that shows a process's cgroup in the
// hierarchy of a controller, such as "memory", and the hierarchy's version.
// Paths and mounts are those of the reader. What a mount shows as its top is
// its fourth field; the rest of the process's path lies below it:
//
//	35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
//	41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw
func CgroupDir(pid int, controller string) (dir string, version int, err error) {
	paths, err := Cgroups(pid)
	if err != nil {
		return "", 0, err
	}
	mounts, err := Mounts(os.Getpid())
	if err != nil {
		return "", 0, err
	}
	for _, m := range mounts {
		version, path := 0, ""
		switch {
		case m.FSType == "cgroup" && slices.Contains(strings.Split(m.VFSOptions, ","), controller):
			version, path = 1, paths[controller]
		case m.FSType == "cgroup2" && enabled(m, controller):
			version, path = 2, paths[""]
		default:
			continue
		}
		if below, found := strings.CutPrefix(path, strings.TrimSuffix(m.Root, "/")); found {
			return filepath.Join(m.Mountpoint, below), version, nil
		}
	}
	return "", 0, fmt.Errorf("no mounted hierarchy has the controller %s", controller)
}

// enabled reports whether a version 2 hierarchy has a controller.
func enabled(m *mountinfo.Info, controller string) bool {
	text, err := os.ReadFile(filepath.Join(m.Mountpoint, "cgroup.controllers"))
	return err == nil && slices.Contains(strings.Fields(string(text)), controller)
}
