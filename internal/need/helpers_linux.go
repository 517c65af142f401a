package need

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// T is what a test hands over of its *testing.T.
type T interface {
	Helper()
	Skip(args ...any)
	Fatal(args ...any)
}

// promises lists, for each lane of CI by its name in LAB_LANE, what cannot be
// missing there. A test that misses it fails: it must not skip.
func promises(lane string) []string {
	rootless := []string{"sandbox", "userns", "overlay", "net"}
	root := append(slices.Clone(rootless), "root", "real root", "cgroup")
	switch lane {
	case "host-root":
		return append(root, "go", "tool")
	case "host-user":
		return append(rootless, "go")
	case "vm-fast":
		return append(root, "cgroup v2")
	case "vm-root":
		return append(root, "cgroup v2", "tool")
	case "vm-user":
		return append(rootless, "cgroup", "cgroup v2", "tool")
	}
	return nil
}

// lacking skips the test, with a reason that says where to get the thing; it
// fails the test where the thing must be there.
func lacking(t T, thing, reason string) {
	t.Helper()
	lane := os.Getenv("LAB_LANE")
	if slices.Contains(promises(lane), thing) {
		t.Fatal(fmt.Sprintf("need %s: %s, but the lane %s promises it", thing, reason, lane))
	}
	t.Skip(fmt.Sprintf("need %s: %s", thing, reason))
}

// Root skips a test unless it runs as root, be it of a user namespace, as in
// the sandbox of an ordinary user.
func Root(t T) {
	t.Helper()
	if !thisHost().isRoot() {
		lacking(t, "root", "not root here: run as root, or where user namespaces are allowed")
	}
}

// RealRoot skips a test unless it runs as the machine's root.
func RealRoot(t T) {
	t.Helper()
	h := thisHost()
	if !h.isRoot() || !h.inFirstUserNS() {
		lacking(t, "real root", "not the machine's root: run with sudo, or `make vm-fast`")
	}
}

// Sandbox skips a test unless it runs in a throw-away host.
func Sandbox(t T) {
	t.Helper()
	if !InSandbox() {
		lacking(t, "sandbox", "no throw-away host: run as root, or allow user namespaces "+
			"(`lab doctor` names the setting)")
	}
}

// UserNS skips a test where this user may not make a user namespace with
// capabilities in it. It fails if nothing is known to forbid it.
func UserNS(t T) {
	t.Helper()
	err := tryUserNS()
	if err == nil {
		return
	}
	ability := thisHost().userNS()
	if ability.OK && !inContainer() {
		t.Fatal(fmt.Sprintf("need userns: %v, but %s", err, ability.Why))
	}
	way := "run as root, or `make vm-fast`"
	if ability.Setting != "" {
		setting := ability.Setting + "=" + ability.Value
		way = fmt.Sprintf("run as root, `sysctl -w %s`, or `make vm-fast`", setting)
	}
	lacking(t, "userns", fmt.Sprintf("%s (%v): %s", ability.Why, err, way))
}

// inContainer reports whether another filter, such as an engine's seccomp
// profile, may forbid what no setting does.
//
//	Seccomp:	2
func inContainer() bool {
	filter := thisHost().statusField("Seccomp")
	return filter != "" && filter != "0"
}

// tryUserNS makes a user namespace and uses a capability in it: where AppArmor
// restricts them the namespace can be made but gives no capability. The
// process in it never gets to run a program, for there is none of that name;
// that this is what fails means that all before it succeeded.
func tryUserNS() error {
	const nothing = "/proc/self/no-such-program"
	_, err := os.StartProcess(nothing, []string{nothing}, &os.ProcAttr{Sys: &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}},
		Chroot:      "/",
	}})
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err == nil {
		return errors.New("started " + nothing)
	}
	return fmt.Errorf("make a user namespace: %w", errors.Unwrap(err))
}

// Overlay skips a test where overlayfs cannot be mounted. It fails if the
// kernel has overlayfs and root, or the kernel's version, makes it possible.
func Overlay(t T) {
	t.Helper()
	Sandbox(t)
	err := tryOverlay()
	if err == nil {
		return
	}
	ability := thisHost().overlay()
	if ability.OK && errors.Is(err, unix.ENODEV) {
		t.Fatal(fmt.Sprintf("need overlay: %v, but it is %s", err, ability.Why))
	}
	lacking(t, "overlay", fmt.Sprintf("%v: `modprobe overlay` as root, or `make vm-fast`", err))
}

// tryOverlay mounts an overlay as the steps do and unmounts it.
func tryOverlay() (err error) {
	dir, err := os.MkdirTemp("", "lab-overlay")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	for _, name := range []string{"lower", "upper", "work", "merged"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			return err
		}
	}
	options := fmt.Sprintf("lowerdir=%[1]s/lower,upperdir=%[1]s/upper,workdir=%[1]s/work", dir)
	if !thisHost().inFirstUserNS() {
		options += ",userxattr"
	}
	merged := filepath.Join(dir, "merged")
	if err := unix.Mount("overlay", merged, "overlay", 0, options); err != nil {
		return fmt.Errorf("mount overlay on %s: %w", merged, err)
	}
	if err := unix.Unmount(merged, 0); err != nil {
		return fmt.Errorf("unmount %s: %w", merged, err)
	}
	return nil
}

// Cgroup skips a test unless a cgroup with all these controllers can be made.
func Cgroup(t T, controllers ...string) {
	t.Helper()
	for _, controller := range controllers {
		if err := TryCgroup(controller); err != nil {
			lacking(t, "cgroup", fmt.Sprintf("%v: run as root, in a delegated cgroup "+
				"(`systemd-run --user --scope -p Delegate=yes …`), or `make vm-fast`", err))
		}
	}
}

// TryCgroup makes a cgroup in which the controller limits, and removes it: at
// the top of the hierarchy, or where one is delegated to this user.
func TryCgroup(controller string) error {
	hierarchies, err := Hierarchies()
	if err != nil {
		return err
	}
	i := slices.IndexFunc(hierarchies, func(h Hierarchy) bool { return h.Has(controller) })
	if i < 0 {
		return fmt.Errorf("the controller %s is in no mounted hierarchy", controller)
	}
	h := hierarchies[i]
	err = h.try(h.Mount, controller)
	if delegated := thisHost().delegated(h); err != nil && delegated != "" {
		err = h.try(delegated, controller)
	}
	return err
}

// try makes a cgroup in a directory and looks whether it has the controller.
func (h Hierarchy) try(parent, controller string) error {
	dir := filepath.Join(parent, "lab-need-"+strconv.Itoa(os.Getpid()))
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		// Without the name, which is another one in each process: a reason to
		// skip is compared with those that are allowed.
		reason, _ := errors.AsType[syscall.Errno](err)
		return fmt.Errorf("make a cgroup for %s in %s: %w", controller, parent, reason)
	}
	var missing error
	available := thisHost().fields(filepath.Join(dir, "cgroup.controllers"))
	if h.Version == 2 && !slices.Contains(available, controller) {
		missing = fmt.Errorf("%s is not enabled in %s/cgroup.subtree_control", controller, parent)
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove a cgroup for %s: %w", controller, err)
	}
	return missing
}

// CgroupV2 skips a test where cgroups are not of version 2 alone.
func CgroupV2(t T) {
	t.Helper()
	if mode := thisHost().cgroups().Mode; mode != "v2" {
		lacking(t, "cgroup v2", "cgroups are "+mode+" here: `make vm-fast`")
	}
}

// CgroupV1 skips a test where a controller is not in a hierarchy of version 1.
func CgroupV1(t T, controller string) {
	t.Helper()
	hierarchies, err := Hierarchies()
	if err != nil {
		t.Fatal(fmt.Sprintf("need cgroup v1: %v", err))
	}
	for _, h := range hierarchies {
		if h.Version == 1 && h.Has(controller) {
			return
		}
	}
	lacking(t, "cgroup v1", controller+" is in no hierarchy of version 1 here: "+
		"boot with systemd.unified_cgroup_hierarchy=0")
}

// Tool skips a test without a program; pkg is Debian's package that has it.
func Tool(t T, name, pkg string) string {
	t.Helper()
	path, err := lookTool(name)
	if err != nil {
		lacking(t, "tool", fmt.Sprintf("no %s on PATH: `apt-get install %s`", name, pkg))
	}
	return path
}

// Go skips a test where no toolchain can build the module's programs.
func Go(t T) string {
	t.Helper()
	path, err := lookTool("go")
	if err != nil || os.Getenv("LAB_VM") == "1" {
		lacking(t, "go", "no Go toolchain here: run `go test` on the host (go.dev/dl)")
	}
	return path
}

// Net skips a test unless links can be made, in a network of its own.
func Net(t T) {
	t.Helper()
	Sandbox(t)
	// Tests that run side by side must not meet each other's pair.
	attrs, number := netlink.NewLinkAttrs(), rand.Uint32()
	attrs.Name = fmt.Sprintf("labneed%08x", number)
	veth := &netlink.Veth{LinkAttrs: attrs, PeerName: fmt.Sprintf("labpeer%08x", number)}
	if err := netlink.LinkAdd(veth); err != nil {
		const ways = "`modprobe veth` as root, or `make vm-fast`"
		lacking(t, "net", fmt.Sprintf("make a veth pair: %v: %s", err, ways))
	}
	if err := netlink.LinkDel(veth); err != nil {
		t.Fatal(fmt.Sprintf("need net: remove a veth pair: %v", err))
	}
}
