//go:build linux

package check

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// sysReadOnly reads the options of /sys.
func sysReadOnly(_ *Subject, h *Held) error {
	m, err := mountAt(h.PID, "/sys")
	if err != nil {
		return err
	}
	f := &Failure{
		Command: h.Command, Expected: "a sysfs on /sys, read-only",
		Look: fmt.Sprintf("grep ' /sys ' /proc/%s/mountinfo", h.pid()),
	}
	switch {
	case m == nil || m.FSType != "sysfs":
		f.Kernel = fmt.Sprintf("/proc/%d/mountinfo has none", h.PID)
		f.Mistake, f.Diagnosis = "sys-not-mounted", "The new root has no /sys: "+
			"programs look there for devices, network links and cgroups."
		return f
	case !slices.Contains(strings.Split(m.Options, ","), "ro"):
		f.Kernel = fmt.Sprintf("%s with %s", m.FSType, m.Options)
		f.Mistake, f.Diagnosis = "sys-writable", "The container can write to /sys, and with it "+
			"reconfigure the host's devices: MS_RDONLY is missing."
		return f
	}
	return nil
}

// devices compares the container's device nodes with the host's.
func devices(_ *Subject, h *Held) error {
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		if err := h.device(name); err != nil {
			return err
		}
	}
	return ownDevMounts(h)
}

// device compares one device node, and opens it.
func (h *Held) device(name string) error {
	var want, got unix.Stat_t
	path := fmt.Sprintf("/proc/%d/root/dev/%s", h.PID, name)
	if err := unix.Stat("/dev/"+name, &want); err != nil {
		return err
	}
	err := unix.Stat(path, &got)
	f := &Failure{
		Command: h.Command, Expected: fmt.Sprintf("/dev/%s is the character device %d:%d",
			name, unix.Major(want.Rdev), unix.Minor(want.Rdev)),
		Kernel: fmt.Sprintf("%s: mode %o, device %d:%d", path, got.Mode,
			unix.Major(got.Rdev), unix.Minor(got.Rdev)),
		Look: fmt.Sprintf("ls -l /proc/%s/root/dev", h.pid()),
	}
	if err != nil {
		f.Kernel = fmt.Sprintf("%s: %v", path, err)
		f.Mistake, f.Diagnosis = "device-missing", "One of the devices that every program may count "+
			"on is not there: mknod(2) makes it, or a bind of the host's."
		if m, err := mountAt(h.PID, "/dev"); err == nil && m == nil {
			f.Mistake, f.Diagnosis = "dev-not-mounted", "Nothing is mounted on the new root's dev: "+
				"it needs a tmpfs, and in it the devices."
		}
		return f
	}
	const everybody = 0o006
	fd, errOpen := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if errOpen == nil {
		_ = unix.Close(fd) // nothing was written
	}
	switch {
	case got.Mode&unix.S_IFMT != unix.S_IFCHR:
		f.Mistake, f.Diagnosis = "device-plain-file", "It is no device: a file that was made for "+
			"one, or by the first program that wrote to it, swallows the disk."
	case got.Rdev != want.Rdev:
		f.Mistake, f.Diagnosis = "device-number", "It is another device: "+
			"the third argument of mknod(2) is makedev(major, minor)."
	case errors.Is(errOpen, unix.EACCES):
		f.Kernel += "; open says: " + errOpen.Error()
		f.Mistake, f.Diagnosis = "dev-nodev", "The file system on /dev is mounted with nodev, "+
			"so that its devices cannot be opened."
	case want.Mode&everybody == everybody && got.Mode&everybody != everybody:
		f.Expected += ", for everybody to read and write"
		f.Mistake, f.Diagnosis = "device-mode", "Only root can use it: the umask took the bits "+
			"from what mknod(2) was given, chmod(2) puts them back."
	default:
		return nil
	}
	return f
}

// ownDevMounts compares the file systems on and below /dev with the host's: a
// bind mount of the host's would have the same device number.
func ownDevMounts(h *Held) error {
	for _, m := range []struct{ point, kind, mistake, why string }{
		{"/dev", "tmpfs", "dev", "The container's /dev"},
		{"/dev/pts", "devpts", "devpts", "Where the terminals are, /dev/pts,"},
		{"/dev/shm", "tmpfs", "shm", "Where shared memory is, /dev/shm,"},
	} {
		own, errOwn := mountAt(h.PID, m.point)
		host, errHost := mountAt(os.Getpid(), m.point)
		if err := errors.Join(errOwn, errHost); err != nil {
			return err
		}
		f := &Failure{
			Command: h.Command, Expected: "a " + m.kind + " of the container's own on " + m.point,
			Kernel:    fmt.Sprintf("/proc/%d/mountinfo has none", h.PID),
			Mistake:   m.mistake + "-missing",
			Diagnosis: m.why + " is no mount: it needs a " + m.kind + " of its own.",
			Look: fmt.Sprintf("grep ' %s ' /proc/%s/mountinfo /proc/self/mountinfo",
				m.point, h.pid()),
		}
		if own == nil {
			return f
		}
		f.Mistake = m.mistake + "-of-the-host"
		f.Diagnosis = m.why + " is the host's, with all that is in it: " +
			"mount a new " + m.kind + " there."
		switch {
		case host != nil && own.Major == host.Major && own.Minor == host.Minor:
			f.Kernel = fmt.Sprintf("it is %s %d:%d, as on the host", own.FSType, own.Major, own.Minor)
			return f
		case own.FSType == "devtmpfs":
			f.Kernel = "it is a devtmpfs, of which the kernel has only one"
			return f
		case own.FSType != m.kind:
			f.Kernel = "it is a " + own.FSType
			f.Mistake, f.Diagnosis = m.mistake+"-wrong-type", m.why+" is another kind of file system."
			return f
		}
	}
	return nil
}
