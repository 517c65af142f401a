//go:build linux

package trace

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// bit is one flag, or one value of an enumeration, by its name in C.
type bit struct {
	value uint64
	name  string
}

// flags spells flags out in the order of the table, as strace(1) does; what is
// left over is a number at the end, and if there is nothing else a remark.
func flags(table []bit, value uint64) string {
	if value == 0 {
		return zero(table)
	}
	var names []string
	for _, b := range table {
		if b.value != 0 && value&b.value == b.value {
			names = append(names, b.name)
			value &^= b.value
		}
	}
	switch {
	case value == 0:
	case names == nil:
		prefix, _, _ := strings.Cut(table[len(table)-1].name, "_")
		return fmt.Sprintf("%#x /* %s_??? */", value, prefix)
	default:
		names = append(names, fmt.Sprintf("%#x", value))
	}
	return strings.Join(names, "|")
}

// zero returns what a table calls 0.
func zero(table []bit) string {
	for _, b := range table {
		if b.value == 0 {
			return b.name
		}
	}
	return "0"
}

// named returns the name of one value, or the number with what it is not.
func named(table []bit, value uint64, kind string) string {
	for _, b := range table {
		if b.value == value {
			return b.name
		}
	}
	return fmt.Sprintf("%#x /* %s */", value, kind)
}

// cloneFlags are those of clone(2), clone3(2), unshare(2) and setns(2), without the
// signal in the lowest byte of clone(2).
var cloneFlags = []bit{
	{unix.CLONE_NEWTIME, "CLONE_NEWTIME"},
	{unix.CLONE_VM, "CLONE_VM"},
	{unix.CLONE_FS, "CLONE_FS"},
	{unix.CLONE_FILES, "CLONE_FILES"},
	{unix.CLONE_SIGHAND, "CLONE_SIGHAND"},
	{unix.CLONE_PIDFD, "CLONE_PIDFD"},
	{unix.CLONE_PTRACE, "CLONE_PTRACE"},
	{unix.CLONE_VFORK, "CLONE_VFORK"},
	{unix.CLONE_PARENT, "CLONE_PARENT"},
	{unix.CLONE_THREAD, "CLONE_THREAD"},
	{unix.CLONE_NEWNS, "CLONE_NEWNS"},
	{unix.CLONE_SYSVSEM, "CLONE_SYSVSEM"},
	{unix.CLONE_SETTLS, "CLONE_SETTLS"},
	{unix.CLONE_PARENT_SETTID, "CLONE_PARENT_SETTID"},
	{unix.CLONE_CHILD_CLEARTID, "CLONE_CHILD_CLEARTID"},
	{unix.CLONE_DETACHED, "CLONE_DETACHED"},
	{unix.CLONE_UNTRACED, "CLONE_UNTRACED"},
	{unix.CLONE_CHILD_SETTID, "CLONE_CHILD_SETTID"},
	{unix.CLONE_NEWCGROUP, "CLONE_NEWCGROUP"},
	{unix.CLONE_NEWUTS, "CLONE_NEWUTS"},
	{unix.CLONE_NEWIPC, "CLONE_NEWIPC"},
	{unix.CLONE_NEWUSER, "CLONE_NEWUSER"},
	{unix.CLONE_NEWPID, "CLONE_NEWPID"},
	{unix.CLONE_NEWNET, "CLONE_NEWNET"},
	{unix.CLONE_IO, "CLONE_IO"},
	{unix.CLONE_CLEAR_SIGHAND, "CLONE_CLEAR_SIGHAND"},
	{unix.CLONE_INTO_CGROUP, "CLONE_INTO_CGROUP"},
}

// prctlOptions are the first arguments of prctl(2).
var prctlOptions = []bit{
	{unix.PR_SET_PDEATHSIG, "PR_SET_PDEATHSIG"},
	{unix.PR_GET_PDEATHSIG, "PR_GET_PDEATHSIG"},
	{unix.PR_GET_DUMPABLE, "PR_GET_DUMPABLE"},
	{unix.PR_SET_DUMPABLE, "PR_SET_DUMPABLE"},
	{unix.PR_GET_KEEPCAPS, "PR_GET_KEEPCAPS"},
	{unix.PR_SET_KEEPCAPS, "PR_SET_KEEPCAPS"},
	{unix.PR_SET_TIMING, "PR_SET_TIMING"},
	{unix.PR_SET_NAME, "PR_SET_NAME"},
	{unix.PR_GET_NAME, "PR_GET_NAME"},
	{unix.PR_GET_SECCOMP, "PR_GET_SECCOMP"},
	{unix.PR_SET_SECCOMP, "PR_SET_SECCOMP"},
	{unix.PR_CAPBSET_READ, "PR_CAPBSET_READ"},
	{unix.PR_CAPBSET_DROP, "PR_CAPBSET_DROP"},
	{unix.PR_GET_TSC, "PR_GET_TSC"},
	{unix.PR_SET_TSC, "PR_SET_TSC"},
	{unix.PR_GET_SECUREBITS, "PR_GET_SECUREBITS"},
	{unix.PR_SET_SECUREBITS, "PR_SET_SECUREBITS"},
	{unix.PR_SET_TIMERSLACK, "PR_SET_TIMERSLACK"},
	{unix.PR_GET_TIMERSLACK, "PR_GET_TIMERSLACK"},
	{unix.PR_MCE_KILL, "PR_MCE_KILL"},
	{unix.PR_MCE_KILL_GET, "PR_MCE_KILL_GET"},
	{unix.PR_SET_MM, "PR_SET_MM"},
	{unix.PR_SET_CHILD_SUBREAPER, "PR_SET_CHILD_SUBREAPER"},
	{unix.PR_GET_CHILD_SUBREAPER, "PR_GET_CHILD_SUBREAPER"},
	{unix.PR_SET_NO_NEW_PRIVS, "PR_SET_NO_NEW_PRIVS"},
	{unix.PR_GET_NO_NEW_PRIVS, "PR_GET_NO_NEW_PRIVS"},
	{unix.PR_GET_TID_ADDRESS, "PR_GET_TID_ADDRESS"},
	{unix.PR_SET_THP_DISABLE, "PR_SET_THP_DISABLE"},
	{unix.PR_GET_THP_DISABLE, "PR_GET_THP_DISABLE"},
	{unix.PR_SET_FP_MODE, "PR_SET_FP_MODE"},
	{unix.PR_GET_FP_MODE, "PR_GET_FP_MODE"},
	{unix.PR_CAP_AMBIENT, "PR_CAP_AMBIENT"},
	{unix.PR_SVE_SET_VL, "PR_SVE_SET_VL"},
	{unix.PR_SVE_GET_VL, "PR_SVE_GET_VL"},
	{unix.PR_GET_SPECULATION_CTRL, "PR_GET_SPECULATION_CTRL"},
	{unix.PR_SET_SPECULATION_CTRL, "PR_SET_SPECULATION_CTRL"},
	{unix.PR_SET_TAGGED_ADDR_CTRL, "PR_SET_TAGGED_ADDR_CTRL"},
	{unix.PR_GET_TAGGED_ADDR_CTRL, "PR_GET_TAGGED_ADDR_CTRL"},
	{unix.PR_SET_IO_FLUSHER, "PR_SET_IO_FLUSHER"},
	{unix.PR_GET_IO_FLUSHER, "PR_GET_IO_FLUSHER"},
	{unix.PR_SET_SYSCALL_USER_DISPATCH, "PR_SET_SYSCALL_USER_DISPATCH"},
	{unix.PR_SCHED_CORE, "PR_SCHED_CORE"},
	{unix.PR_SET_MDWE, "PR_SET_MDWE"},
	{unix.PR_GET_MDWE, "PR_GET_MDWE"},
	{unix.PR_SET_VMA, "PR_SET_VMA"},
	{unix.PR_SET_PTRACER, "PR_SET_PTRACER"},
}

// ambientOps are what PR_CAP_AMBIENT does.
var ambientOps = []bit{
	{unix.PR_CAP_AMBIENT_IS_SET, "PR_CAP_AMBIENT_IS_SET"},
	{unix.PR_CAP_AMBIENT_RAISE, "PR_CAP_AMBIENT_RAISE"},
	{unix.PR_CAP_AMBIENT_LOWER, "PR_CAP_AMBIENT_LOWER"},
	{unix.PR_CAP_AMBIENT_CLEAR_ALL, "PR_CAP_AMBIENT_CLEAR_ALL"},
}

// secureBits are those of PR_SET_SECUREBITS: see capabilities(7).
var secureBits = []bit{
	{0x1, "SECBIT_NOROOT"},
	{0x2, "SECBIT_NOROOT_LOCKED"},
	{0x4, "SECBIT_NO_SETUID_FIXUP"},
	{0x8, "SECBIT_NO_SETUID_FIXUP_LOCKED"},
	{0x10, "SECBIT_KEEP_CAPS"},
	{0x20, "SECBIT_KEEP_CAPS_LOCKED"},
	{0x40, "SECBIT_NO_CAP_AMBIENT_RAISE"},
	{0x80, "SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED"},
}

// dumpable are the values of PR_SET_DUMPABLE.
var dumpable = []bit{
	{0, "SUID_DUMP_DISABLE"},
	{1, "SUID_DUMP_USER"},
	{2, "SUID_DUMP_ROOT"},
}

// seccompOps are the first arguments of seccomp(2).
var seccompOps = []bit{
	{unix.SECCOMP_SET_MODE_STRICT, "SECCOMP_SET_MODE_STRICT"},
	{unix.SECCOMP_SET_MODE_FILTER, "SECCOMP_SET_MODE_FILTER"},
	{unix.SECCOMP_GET_ACTION_AVAIL, "SECCOMP_GET_ACTION_AVAIL"},
	{unix.SECCOMP_GET_NOTIF_SIZES, "SECCOMP_GET_NOTIF_SIZES"},
}

// seccompModes are those of PR_SET_SECCOMP.
var seccompModes = []bit{
	{unix.SECCOMP_MODE_DISABLED, "SECCOMP_MODE_DISABLED"},
	{unix.SECCOMP_MODE_STRICT, "SECCOMP_MODE_STRICT"},
	{unix.SECCOMP_MODE_FILTER, "SECCOMP_MODE_FILTER"},
}

// seccompFlags are those of SECCOMP_SET_MODE_FILTER.
var seccompFlags = []bit{
	{unix.SECCOMP_FILTER_FLAG_TSYNC, "SECCOMP_FILTER_FLAG_TSYNC"},
	{unix.SECCOMP_FILTER_FLAG_LOG, "SECCOMP_FILTER_FLAG_LOG"},
	{unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW, "SECCOMP_FILTER_FLAG_SPEC_ALLOW"},
	{unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, "SECCOMP_FILTER_FLAG_NEW_LISTENER"},
	{unix.SECCOMP_FILTER_FLAG_TSYNC_ESRCH, "SECCOMP_FILTER_FLAG_TSYNC_ESRCH"},
	{unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"},
}

// seccompActions are what a filter may answer.
var seccompActions = []bit{
	{unix.SECCOMP_RET_KILL_PROCESS, "SECCOMP_RET_KILL_PROCESS"},
	{unix.SECCOMP_RET_KILL_THREAD, "SECCOMP_RET_KILL_THREAD"},
	{unix.SECCOMP_RET_TRAP, "SECCOMP_RET_TRAP"},
	{unix.SECCOMP_RET_ERRNO, "SECCOMP_RET_ERRNO"},
	{unix.SECCOMP_RET_USER_NOTIF, "SECCOMP_RET_USER_NOTIF"},
	{unix.SECCOMP_RET_TRACE, "SECCOMP_RET_TRACE"},
	{unix.SECCOMP_RET_LOG, "SECCOMP_RET_LOG"},
	{unix.SECCOMP_RET_ALLOW, "SECCOMP_RET_ALLOW"},
}

// capVersions are those of the header of capset(2).
var capVersions = []bit{
	{unix.LINUX_CAPABILITY_VERSION_1, "_LINUX_CAPABILITY_VERSION_1"},
	{unix.LINUX_CAPABILITY_VERSION_2, "_LINUX_CAPABILITY_VERSION_2"},
	{unix.LINUX_CAPABILITY_VERSION_3, "_LINUX_CAPABILITY_VERSION_3"},
}

// capabilities are the names of the numbers: see capabilities(7).
var capabilities = [...]string{
	"CAP_CHOWN",
	"CAP_DAC_OVERRIDE",
	"CAP_DAC_READ_SEARCH",
	"CAP_FOWNER",
	"CAP_FSETID",
	"CAP_KILL",
	"CAP_SETGID",
	"CAP_SETUID",
	"CAP_SETPCAP",
	"CAP_LINUX_IMMUTABLE",
	"CAP_NET_BIND_SERVICE",
	"CAP_NET_BROADCAST",
	"CAP_NET_ADMIN",
	"CAP_NET_RAW",
	"CAP_IPC_LOCK",
	"CAP_IPC_OWNER",
	"CAP_SYS_MODULE",
	"CAP_SYS_RAWIO",
	"CAP_SYS_CHROOT",
	"CAP_SYS_PTRACE",
	"CAP_SYS_PACCT",
	"CAP_SYS_ADMIN",
	"CAP_SYS_BOOT",
	"CAP_SYS_NICE",
	"CAP_SYS_RESOURCE",
	"CAP_SYS_TIME",
	"CAP_SYS_TTY_CONFIG",
	"CAP_MKNOD",
	"CAP_LEASE",
	"CAP_AUDIT_WRITE",
	"CAP_AUDIT_CONTROL",
	"CAP_SETFCAP",
	"CAP_MAC_OVERRIDE",
	"CAP_MAC_ADMIN",
	"CAP_SYSLOG",
	"CAP_WAKE_ALARM",
	"CAP_BLOCK_SUSPEND",
	"CAP_AUDIT_READ",
	"CAP_PERFMON",
	"CAP_BPF",
	"CAP_CHECKPOINT_RESTORE",
}
