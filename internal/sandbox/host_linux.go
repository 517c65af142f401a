package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"lab/internal/need"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const (
	cgroupRoot = "/sys/fs/cgroup"
	newSys     = "/run/sys"
)

// separated are the namespaces, as in /proc/self/ns, without which nothing is
// done in the new host.
func separated() []string { return []string{"mnt", "pid", "net", "ipc", "uts"} }

// outside names the namespaces of this process.
//
//	mnt:[4026531841]
func outside() (map[string]string, error) {
	names := map[string]string{}
	for _, kind := range separated() {
		name, err := os.Readlink("/proc/self/ns/" + kind)
		if err != nil {
			return nil, fmt.Errorf("read own namespaces: %w", err)
		}
		names[kind] = name
	}
	return names, nil
}

// verify refuses to go on unless every namespace is another one than the outer
// process has. The next thing that happens is that /proc, /sys and /run are
// taken away: were a namespace the machine's, so would be the damage.
func verify(outer map[string]string) error {
	inner, err := outside()
	if err != nil {
		return err
	}
	for _, kind := range separated() {
		if outer[kind] == "" || outer[kind] == inner[kind] {
			return fmt.Errorf("the new host has no %s namespace of its own: %q", kind, outer[kind])
		}
	}
	if os.Getpid() != 1 {
		return fmt.Errorf("the new host's first process is %d, not 1", os.Getpid())
	}
	return nil
}

// enter is the first stage in the new host: it joins the cgroups, makes the
// cgroup namespace whose root they are, and becomes init.
func enter(given orders) error {
	// unshare(2) of a cgroup namespace concerns this thread alone. execve(2)
	// ends the others and makes this one the process.
	runtime.LockOSThread()
	if err := verify(given.Outside); err != nil {
		return err
	}
	if len(given.Cgroups) > 0 {
		if err := join(given.Cgroups); err != nil {
			return err
		}
		if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
			return fmt.Errorf("unshare the cgroup namespace: %w", err)
		}
	}

	given.Stage = stageInit
	environ, err := given.environ()
	if err != nil {
		return err
	}
	if err := dieWithParent(); err != nil {
		return err
	}
	return fmt.Errorf("execute /proc/self/exe: %w", unix.Exec("/proc/self/exe", os.Args, environ))
}

// dieWithParent has the kernel kill this process when the outer one ends. It
// was asked for at birth, but of the first thread alone, and the thread that
// calls execve(2) becomes the process. In a new pid namespace getppid(2) is 0,
// so that the parent still lives is seen from the pipe that it reads.
func dieWithParent() error {
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("ask for the parent's death signal: %w", err)
	}
	pipe := []unix.PollFd{{Fd: wordFD}}
	if _, err := unix.Poll(pipe, 0); err != nil {
		return fmt.Errorf("look at the outer process's pipe: %w", err)
	}
	if pipe[0].Revents != 0 {
		return errors.New("the outer process has ended")
	}
	return nil
}

// furnish turns the copy of the machine's mounts and the empty network into a
// host of its own.
func furnish(given orders) error {
	if err := verify(given.Outside); err != nil {
		return err
	}
	// mount --make-rprivate /
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	for _, step := range []func() error{
		mountRun,
		mountProc,
		func() error { return mountSys(given.Cgroups) },
		func() error { return handOut(given.Cgroups) },
		loopbackUp,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// mountRun gives the new host a /run of its own: what programs keep there
// (network namespaces, locks, sockets) belongs to one host. Its source is the
// mark by which Active knows a sandbox. The two files that resolv.conf and
// XDG_RUNTIME_DIR may lead to are made again.
func mountRun() error {
	resolver, resolverErr := filepath.EvalSymlinks("/etc/resolv.conf")
	text, textErr := os.ReadFile("/etc/resolv.conf")
	const flags = unix.MS_NOSUID | unix.MS_NODEV
	if err := mount(need.SandboxMark, "/run", "tmpfs", flags, "mode=755"); err != nil {
		return err
	}

	if dir := os.Getenv("XDG_RUNTIME_DIR"); strings.HasPrefix(dir, "/run/") {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	found := resolverErr == nil && textErr == nil
	if !found || !strings.HasPrefix(resolver, "/run/") {
		return nil // a machine without name servers is one, too
	}
	if err := os.MkdirAll(filepath.Dir(resolver), 0o755); err != nil {
		return err
	}
	return os.WriteFile(resolver, text, 0o644)
}

// mountProc shows the new pid namespace's processes.
func mountProc() error {
	if err := detach("/proc"); err != nil {
		return err
	}
	return mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
}

// mountSys shows the new network namespace's links in /sys/class/net. A new
// /sys hides the cgroups, so they are mounted below it before it takes the
// place of the old one.
func mountSys(cgroups []cgroup) error {
	if err := os.Mkdir(newSys, 0o755); err != nil {
		return err
	}
	const flags = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	if err := mount("sysfs", newSys, "sysfs", flags, ""); err != nil {
		return err
	}
	if err := mountCgroups(cgroups); err != nil {
		return err
	}
	if err := detach("/sys"); err != nil {
		return err
	}
	if err := unix.Mount(newSys, "/sys", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move %s to /sys: %w", newSys, err)
	}
	return os.Remove(newSys)
}

// mountCgroups mounts the hierarchies anew, each where the machine has it:
// in the new cgroup namespace their root is the new host's cgroup. Without
// cgroups of its own the new host keeps the machine's.
func mountCgroups(cgroups []cgroup) error {
	if len(cgroups) == 0 {
		err := unix.Mount(cgroupRoot, newSys+"/fs/cgroup", "", unix.MS_BIND|unix.MS_REC, "")
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("bind %s: %w", cgroupRoot, err)
		}
		return nil
	}

	// Hierarchies of version 1 lie side by side in a tmpfs.
	apart := !slices.ContainsFunc(cgroups, func(c cgroup) bool { return c.Mount == cgroupRoot })
	if apart {
		if err := mount("tmpfs", newSys+"/fs/cgroup", "tmpfs", 0, "mode=755"); err != nil {
			return err
		}
	}
	for _, c := range cgroups {
		if err := c.mount(); err != nil {
			return err
		}
	}
	return nil
}

// mount mounts one hierarchy, the root of which is the sandbox's cgroup.
//
//	mount -t cgroup -o cpu,cpuacct cgroup /sys/fs/cgroup/cpu,cpuacct
//	mount -t cgroup2 cgroup2 /sys/fs/cgroup
func (c cgroup) mount() error {
	target := c.Mount
	if below, ok := strings.CutPrefix(c.Mount, "/sys/"); ok {
		target = filepath.Join(newSys, below)
	}
	if err := os.MkdirAll(target, 0o755); err != nil {
		return err
	}
	if c.Version == 2 {
		return mount("cgroup2", target, "cgroup2", 0, "")
	}
	return mount("cgroup", target, "cgroup", 0, c.Options)
}

// handOut makes the version 2 controllers usable in the new host: a cgroup
// with processes in it cannot hand them out, so this process, the only one,
// moves from the top into a leaf.
func handOut(cgroups []cgroup) error {
	for _, c := range cgroups {
		if c.Version != 2 {
			continue
		}
		leaf := cgroup{Dir: filepath.Join(c.Mount, "tests")}
		if err := os.Mkdir(leaf.Dir, 0o755); err != nil {
			return fmt.Errorf("make a leaf cgroup: %w", err)
		}
		if err := join([]cgroup{leaf}); err != nil {
			return err
		}
		enable(c.Mount)
	}
	return nil
}

// loopbackUp turns on the one link that a new network has.
//
//	ip link set lo up
func loopbackUp() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find lo: %w", err)
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return fmt.Errorf("set lo up: %w", err)
	}
	return nil
}

// mount is mount(2) with an error that tells the call.
func mount(source, target, fstype string, flags uintptr, data string) error {
	if err := unix.Mount(source, target, fstype, flags, data); err != nil {
		return fmt.Errorf("mount %s on %s: %w", fstype, target, err)
	}
	return nil
}

// detach takes a tree of mounts away, so that the mount table does not list
// what is covered. In a user namespace the machine's mounts are locked in
// place, and a path may be none: both are EINVAL, and covering is enough.
func detach(target string) error {
	err := unix.Unmount(target, unix.MNT_DETACH)
	if err != nil && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("unmount %s: %w", target, err)
	}
	return nil
}
