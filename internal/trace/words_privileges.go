//go:build linux

package trace

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// capsetWords tell which capabilities are left.
func (c *Call) capsetWords() words {
	list := c.arg(1).list
	if len(list) < 3 {
		return words{"set", "its capabilities", "", ""}
	}
	effective, _ := strconv.ParseUint(list[0], 10, 64) // our own numbers
	permitted, _ := strconv.ParseUint(list[1], 10, 64)
	switch n := bits.OnesCount64(permitted); {
	case n == 0:
		return words{"give", "up all capabilities", "setpriv --bounding-set -all", ""}
	case n >= len(capabilities):
		return words{"have", "every capability it can have", "", ""}
	default:
		return words{"keep", fmt.Sprintf("%d of %d capabilities: %s", n, len(capabilities),
			enumerate(capabilityNames(permitted))), "", pick(effective == permitted, "",
			fmt.Sprintf("%d of them take effect", bits.OnesCount64(effective)))}
	}
}

// capabilityNames returns the names as capsh(1) and setpriv(1) write them.
func capabilityNames(set uint64) []string {
	var names []string
	for n := range uint64(64) {
		if set&(1<<n) != 0 {
			names = append(names, plain(capability(n)))
		}
	}
	return names
}

// plain returns a capability's name without CAP_, in small letters.
func plain(name string) string { return strings.ToLower(strings.TrimPrefix(name, "CAP_")) }

// prctlWords tell what a process gives up or asks for.
func (c *Call) prctlWords() words {
	text, name := c.arg(1).text, plain(c.arg(1).text)
	switch c.arg(0).num {
	case unix.PR_SET_NO_NEW_PRIVS:
		return words{
			"give", "up privileges by execve: set-user-ID no longer counts",
			"setpriv --no-new-privs", "this cannot be undone",
		}
	case unix.PR_CAPBSET_DROP:
		return words{
			"drop", name + " from the bounding set: no program can give it back",
			"setpriv --bounding-set -" + name, "",
		}
	case unix.PR_CAP_AMBIENT:
		return c.ambientWords()
	case unix.PR_SET_PDEATHSIG:
		if c.arg(1).num == 0 && text == "0" {
			return words{
				"ask", "for no signal any more when its parent ends",
				"setpriv --pdeathsig clear", "",
			}
		}
		return words{
			"ask", "for " + text + " when its parent ends",
			"setpriv --pdeathsig " + strings.TrimPrefix(text, "SIG"), "",
		}
	case unix.PR_SET_DUMPABLE:
		return words{
			"set", "whether its memory can be read by its user's other processes", "",
			pick(text == "SUID_DUMP_DISABLE", "it cannot", "it can"),
		}
	case unix.PR_SET_KEEPCAPS:
		return words{"keep", "its capabilities when it becomes another user: " +
			pick(text == "1", "yes", "no"), "setpriv --securebits +keep_caps", ""}
	case unix.PR_SET_SECUREBITS:
		return words{"set", "whether being root gives capabilities: " + text, "", ""}
	case unix.PR_SET_CHILD_SUBREAPER:
		return words{"adopt", "the orphans among its descendants", "", ""}
	case unix.PR_SET_SECCOMP:
		return words{"have", fmt.Sprintf("a filter of %d instructions judge its system calls",
			c.arg(2).num), "", "this cannot be undone"}
	}
	return words{}
}

// ambientWords tell of the capabilities that survive an execve without root.
func (c *Call) ambientWords() words {
	name := plain(c.arg(2).text)
	switch c.arg(1).num {
	case unix.PR_CAP_AMBIENT_CLEAR_ALL:
		return words{
			"clear", "the ambient set: execve keeps nothing by itself",
			"setpriv --ambient-caps -all", "",
		}
	case unix.PR_CAP_AMBIENT_RAISE:
		return words{"keep", name + " through execve", "setpriv --ambient-caps +" + name, ""}
	case unix.PR_CAP_AMBIENT_LOWER:
		return words{
			"drop", name + " from what execve keeps",
			"setpriv --ambient-caps -" + name, "",
		}
	}
	return words{"ask", "whether execve keeps " + name, "", ""}
}

// seccompWords tell of a filter of system calls.
func (c *Call) seccompWords() words {
	switch c.arg(0).num {
	case unix.SECCOMP_SET_MODE_FILTER:
		if c.errno == unix.EFAULT {
			return words{"ask", "whether the kernel knows " + c.arg(1).text +
				", by a filter that is no filter", "", ""}
		}
		return words{"have", fmt.Sprintf("a filter of %d instructions judge its system calls",
			c.arg(2).num), "", "this cannot be undone"}
	case unix.SECCOMP_SET_MODE_STRICT:
		if c.errno == unix.EINVAL && c.args[1] != 0 {
			return words{"ask", "whether the kernel knows seccomp, by wrong flags", "", ""}
		}
		return words{"allow", "itself read, write and exit alone", "", "this cannot be undone"}
	case unix.SECCOMP_GET_ACTION_AVAIL:
		return words{"ask", "whether the kernel knows " + strings.Trim(c.arg(2).text, "[]"), "", ""}
	}
	return words{"ask", "the kernel about seccomp", "", ""}
}

// advice is what often is the matter when a call fails, or "".
func (c *Call) advice() string {
	switch {
	case c.errno == unix.ENOENT && strings.HasPrefix(c.Name, "exec"):
		return "the file is not there, or its interpreter is not"
	case c.errno == unix.EPERM && c.wantsNamespaces():
		return "that takes root, or a user namespace with it"
	case c.errno == unix.EINVAL && c.Name == "pivot_root":
		return "the new root has to be a mount point that is not shared, " +
			"nor the one above it"
	case c.errno == unix.EPERM && c.Name == "mount":
		return "that takes CAP_SYS_ADMIN over its mount namespace"
	case c.errno == unix.EPERM && strings.HasPrefix(c.Name, "mknod"):
		return "root of a user namespace makes no devices"
	case c.errno == unix.EBUSY && strings.HasPrefix(c.Name, "write"):
		return "a cgroup with processes in it hands out no controllers"
	}
	return ""
}

// wantsNamespaces reports whether a call asks for namespaces other than of users.
func (c *Call) wantsNamespaces() bool {
	value := uint64(0)
	switch c.Name {
	case "clone":
		value = c.arg(1).num
	case "clone3", "unshare":
		value = c.arg(0).num
	}
	own, _ := among(value)
	return len(own) > 0 && value&unix.CLONE_NEWUSER == 0
}
