package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/moby/sys/mount"
	"golang.org/x/sys/unix"
)

// mountDev fills /dev with the few devices that every program may count on.
// It runs in the container, before pivot_root.
func mountDev(dev string) error {
	// mount -t tmpfs tmpfs DEV
	err := mount.Mount("tmpfs", dev, "tmpfs", "nosuid,mode=755,size=64k")
	if err != nil {
		return err
	}
	for _, name := range []string{
		"null", "zero", "full", "random", "urandom", "tty",
	} {
		err := makeDevice("/dev/"+name, filepath.Join(dev, name))
		if err != nil {
			return err
		}
	}
	if err := linkDevices(dev); err != nil {
		return err
	}
	return mountTerminals(dev)
}

// makeDevice makes a device node like the host's.
func makeDevice(host, target string) error {
	var st unix.Stat_t
	if err := unix.Stat(host, &st); err != nil {
		return fmt.Errorf("stat %s: %w", host, err)
	}
	// mknod TARGET c MAJOR MINOR
	if err := unix.Mknod(target, st.Mode, int(st.Rdev)); err == nil {
		return os.Chmod(target, 0o666) // whatever the umask is
	}
	// In a user namespace mknod(2) is refused: the host's node, bound onto an
	// empty file, is the same device.
	if err := os.WriteFile(target, nil, 0o666); err != nil {
		return err
	}
	return mount.Mount(host, target, "", "bind")
}

// linkDevices makes the names by which programs find their open files.
func linkDevices(dev string) error {
	for name, to := range map[string]string{
		"fd":     "/proc/self/fd",
		"stdin":  "/proc/self/fd/0",
		"stdout": "/proc/self/fd/1",
		"stderr": "/proc/self/fd/2",
		"ptmx":   "pts/ptmx",
	} {
		if err := os.Symlink(to, filepath.Join(dev, name)); err != nil {
			return err
		}
	}
	return nil
}

// mountTerminals gives the container pseudo-terminals and shared memory that
// are not the host's.
func mountTerminals(dev string) error {
	for _, m := range []struct{ name, fstype, options string }{
		// No gid=5: that group may not exist in a user namespace.
		{"pts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620"},
		{"shm", "tmpfs", "nosuid,nodev,mode=1777,size=64m"},
	} {
		target := filepath.Join(dev, m.name)
		if err := os.Mkdir(target, 0o755); err != nil {
			return err
		}
		// mount -t devpts -o OPTIONS devpts TARGET
		err := mount.Mount(m.fstype, target, m.fstype, m.options)
		if err != nil {
			return err
		}
	}
	return nil
}
