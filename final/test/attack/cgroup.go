//go:build linux

package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// levers are the files of a cgroup of which each gives power over the host or over the
// container's own limits.
var levers = []string{
	"release_agent", "notify_on_release", "devices.allow", "memory.limit_in_bytes",
	"memory.max", "pids.max", "cgroup.procs", "cgroup.subtree_control",
}

// cgroups opens the levers of all cgroups in sight for writing: as the runtime shows
// them, after a remount, and mounted anew, with our rights and with those of root of a
// user namespace of our own.
func cgroups() error {
	pull("shown", "/sys/fs/cgroup")
	tell("remount", unix.Mount("", "/sys/fs/cgroup", "", unix.MS_REMOUNT|unix.MS_BIND, ""))
	pull("remounted", "/sys/fs/cgroup")
	for _, flags := range []uintptr{0, unix.CLONE_NEWUSER} {
		again := exec.Command("/proc/self/exe", "anew")
		again.Stdout, again.Stderr = os.Stdout, os.Stderr
		again.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags: flags | unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP,
		}
		if flags != 0 {
			one := []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
			again.SysProcAttr.UidMappings = one
		}
		tell("new namespaces", again.Run())
	}
	return nil
}

// anew mounts cgroups itself.
func anew() error {
	dir, err := os.MkdirTemp("/dev/shm", "cgroup")
	if err != nil {
		return err
	}
	for _, kind := range []struct{ fs, data string }{
		{"cgroup", "memory"}, {"cgroup", "devices"}, {"cgroup", "rdma"}, {"cgroup2", ""},
	} {
		err := unix.Mount("cgroup", dir, kind.fs, 0, kind.data)
		tell("mount "+kind.fs+" "+kind.data, err)
		if err == nil {
			pull("anew", dir)
		}
	}
	return nil
}

// pull opens the levers below a directory for writing.
func pull(how, dir string) {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && slices.Contains(levers, d.Name()) {
			tell(how+" "+path, write(path, ""))
		}
		return nil // what cannot be looked at is no way out
	})
	if err != nil {
		tell(how+" "+dir, err)
	}
}
