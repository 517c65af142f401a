//go:build linux

package mountview

import (
	"slices"
	"strings"
)

// systems says what a file system is for, by its type.
var systems = map[string]string{
	"proc":        "processes, as its PID namespace numbers them",
	"sysfs":       "devices and other objects of the kernel",
	"tmpfs":       "in memory, gone with the last user",
	"ramfs":       "in memory",
	"devtmpfs":    "device files, made by the kernel",
	"devpts":      "terminals",
	"mqueue":      "POSIX message queues of its IPC namespace",
	"cgroup":      "cgroups, version 1: lab cgroup",
	"cgroup2":     "cgroups, version 2: lab cgroup",
	"overlay":     "layers: lab layers",
	"nsfs":        "a file that holds a namespace",
	"securityfs":  "security modules",
	"debugfs":     "the kernel's insides",
	"tracefs":     "tracing",
	"bpf":         "pinned BPF objects",
	"hugetlbfs":   "huge pages",
	"configfs":    "kernel objects that can be made from outside",
	"binfmt_misc": "interpreters by magic number",
	"pstore":      "what a crashed kernel left",
	"fusectl":     "FUSE connections",
	"autofs":      "mounted when it is entered",
}

// meaning says what a mount is, in a phrase.
func (m *Mounts) meaning(mount Mount) string {
	words := []string{mount.What()}
	if mount.readOnly() {
		words = append(words, "read-only")
	}
	shared, master := tag(mount.Info, "shared:"), tag(mount.Info, "master:")
	switch {
	case m.Own && m.shared[shared]:
		words = append(words, "mounts below it appear at yours, and yours here")
	case m.Own && m.shared[master]:
		words = append(words, "mounts below yours appear here")
	case shared != "" && !m.Own:
		words = append(words, "shared: copies of it take part in changes")
	}
	return strings.Join(words, "; ")
}

// readOnly reports whether nothing can be written through this mount, be it by
// its own option or by its file system's.
func (m Mount) readOnly() bool {
	return slices.Contains(strings.Split(m.Options, ","), "ro") ||
		slices.Contains(strings.Split(m.VFSOptions, ","), "ro")
}

// What says what is mounted.
func (m Mount) What() string {
	inProc := strings.HasPrefix(m.Mountpoint, "/proc/") || strings.HasPrefix(m.Mountpoint, "/sys/")
	text := systems[m.FSType]
	switch {
	case m.Root == "/null" && inProc:
		return "hidden: /dev/null lies over it"
	case m.FSType == "tmpfs" && inProc && m.readOnly():
		return "hidden: an empty directory lies over it"
	case m.FSType == "nsfs":
		return "a file that holds " + m.Root
	case m.Root != "/" && !strings.HasPrefix(m.FSType, "cgroup"):
		return "a bind mount of " + m.Root + " of " + m.Source
	case text == "":
		return "a file system of " + m.Source
	}
	return text
}
