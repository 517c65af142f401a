//go:build linux

package inspect

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// capabilityNames are the names of the bits, as in capabilities(7), without
// CAP_ and in lower case.
var capabilityNames = []string{
	"chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid",
	"setpcap", "linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw",
	"ipc_lock", "ipc_owner", "sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct",
	"sys_admin", "sys_boot", "sys_nice", "sys_resource", "sys_time", "sys_tty_config", "mknod",
	"lease", "audit_write", "audit_control", "setfcap", "mac_override", "mac_admin", "syslog",
	"wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf", "checkpoint_restore",
}

// Capabilities is a set of capabilities, a bit each.
type Capabilities uint64

// LastCapability returns the highest capability that this kernel knows, from
// /proc/sys/kernel/cap_last_cap.
func LastCapability() int {
	text, err := os.ReadFile("/proc/sys/kernel/cap_last_cap")
	if err == nil {
		if last, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && last < 64 {
			return last
		}
	}
	return len(capabilityNames) - 1
}

// Names returns the names of the capabilities in the set. One that is younger
// than this program is called by its number.
func (c Capabilities) Names() []string {
	var names []string
	for bit := range 64 {
		switch {
		case c&(1<<bit) == 0:
		case bit < len(capabilityNames):
			names = append(names, capabilityNames[bit])
		default:
			names = append(names, fmt.Sprintf("cap_%d", bit))
		}
	}
	return names
}

// All returns the set of all capabilities up to the last one.
func All(last int) Capabilities { return 1<<(last+1) - 1 }
