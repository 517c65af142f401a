package need

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// host is where facts are read from; tests put another root and other answers
// in its place.
type host struct {
	root     string // prefix of every path
	uid      int
	lookPath func(tool string) (string, error)
	writable func(path string) bool
}

func thisHost() host {
	return host{root: "/", uid: os.Geteuid(), lookPath: lookTool, writable: writable}
}

// Look returns what this machine can do, as this process sees it.
func Look() Facts { return thisHost().look() }

func (h host) look() Facts {
	return Facts{
		OS: "linux", Arch: runtime.GOARCH,
		Kernel:     h.text("/proc/sys/kernel/osrelease"),
		UID:        h.uid,
		Root:       h.isRoot(),
		RealRoot:   h.isRoot() && h.inFirstUserNS(),
		Sandbox:    h.inSandbox(),
		Cgroups:    h.cgroups(),
		Namespaces: h.namespaces(),
		Overlay:    h.overlay(),
		UserNS:     h.userNS(),
		Systemd:    h.exists("/run/systemd/system"),
		Tools:      h.tools(),
	}
}

// InSandbox reports whether this process runs in a throw-away host.
func InSandbox() bool { return thisHost().inSandbox() }

func (h host) inSandbox() bool {
	marks, err := h.mounts(func(m *mountinfo.Info) (skip, stop bool) {
		return m.Mountpoint != "/run" || m.Source != SandboxMark, false
	})
	return err == nil && len(marks) > 0
}

// path puts a path below the host's root.
func (h host) path(path string) string { return filepath.Join(h.root, path) }

func (h host) exists(path string) bool {
	_, err := os.Lstat(h.path(path))
	return err == nil
}

// text returns the one line of a file in /proc or /sys, empty if unreadable.
func (h host) text(path string) string {
	text, err := os.ReadFile(h.path(path))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// isRoot reports uid 0 with CAP_SYS_ADMIN: a container's root often lacks it.
//
//	CapEff:	000001fffeffffff
func (h host) isRoot() bool {
	caps, err := strconv.ParseUint(h.statusField("CapEff"), 16, 64)
	return err == nil && h.uid == 0 && caps&(1<<unix.CAP_SYS_ADMIN) != 0
}

// statusField returns a field of /proc/self/status, empty if it has none.
func (h host) statusField(name string) string {
	for line := range strings.Lines(h.text("/proc/self/status")) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// inFirstUserNS reports whether uids here are the machine's own: only the
// first user namespace maps all of them to themselves.
//
//	0          0 4294967295
func (h host) inFirstUserNS() bool {
	return slices.Equal(h.fields("/proc/self/uid_map"), []string{"0", "0", "4294967295"})
}

// namespaces tells the kinds of namespaces that the kernel has.
func (h host) namespaces() map[string]bool {
	has := map[string]bool{}
	for _, kind := range []string{"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"} {
		has[kind] = h.exists("/proc/self/ns/" + kind)
	}
	return has
}

// overlay looks for overlayfs among the file systems that are registered, and
// then among the modules that the kernel would load on the first mount.
//
//	nodev	overlay
//	kernel/fs/overlayfs/overlay.ko:
func (h host) overlay() Ability {
	if slices.Contains(h.fields("/proc/filesystems"), "overlay") {
		return Ability{OK: true, Why: "listed in /proc/filesystems"}
	}
	modules := "/lib/modules/" + h.text("/proc/sys/kernel/osrelease")
	for _, list := range []string{"modules.builtin", "modules.dep"} {
		if strings.Contains(h.text(filepath.Join(modules, list)), "/overlay.ko") {
			return Ability{OK: true, Why: "listed in " + filepath.Join(modules, list)}
		}
	}
	return Ability{Why: "overlay is neither in /proc/filesystems nor a module of this kernel"}
}

// userNSSettings are the sysctls that forbid user namespaces. Each stands in
// the way of an ordinary user, the second of root too.
var userNSSettings = []struct{ name, forbids, allows string }{
	{"kernel.unprivileged_userns_clone", "0", "1"},
	{"user.max_user_namespaces", "0", "10000"},
	{"kernel.apparmor_restrict_unprivileged_userns", "1", "0"},
}

// userNS tells whether this user may make a user namespace, by what the
// settings say; UserNS(t) tries it.
func (h host) userNS() Ability {
	if !h.exists("/proc/self/ns/user") {
		return Ability{Why: "the kernel is built without CONFIG_USER_NS"}
	}
	for _, s := range userNSSettings {
		file := "/proc/sys/" + strings.ReplaceAll(s.name, ".", "/")
		forRoot := s.name == "user.max_user_namespaces"
		if h.text(file) == s.forbids && (h.uid != 0 || forRoot) {
			return Ability{Why: s.name + " is " + s.forbids, Setting: s.name, Value: s.allows}
		}
	}
	return Ability{OK: true, Why: "no setting forbids it"}
}

// tools finds the programs that the course or its tests can make use of.
func (h host) tools() map[string]string {
	found := map[string]string{}
	for _, tool := range []string{
		"busybox", "findmnt", "gcc", "git", "go", "ip", "iptables", "lsns", "mount", "newgidmap",
		"newuidmap", "nft", "nsenter", "ping", "setpriv", "strace", "sudo", "systemd-run",
		"umount", "unshare", "vagrant",
	} {
		if path, err := h.lookPath(tool); err == nil {
			found[tool] = path
		}
	}
	return found
}

// lookTool finds a program on PATH, then where root's programs are: an
// ordinary user's PATH often lacks /usr/sbin, and sudo's lacks Go.
func lookTool(tool string) (string, error) {
	path, err := exec.LookPath(tool)
	if err == nil {
		return filepath.Abs(path)
	}
	for _, dir := range []string{"/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/go/bin"} {
		if path, elsewhere := exec.LookPath(filepath.Join(dir, tool)); elsewhere == nil {
			return path, nil
		}
	}
	return "", err
}
