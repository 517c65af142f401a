//go:build linux

package trace

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// cloneArgs decodes struct clone_args of clone3(2), eleven numbers of 64 bits;
// older programs give fewer, which the next argument tells. The argument's number
// is the flags.
//
//	{flags=CLONE_VM|CLONE_VFORK, exit_signal=SIGCHLD, stack=0x7f…, stack_size=0x9000}
func cloneArgs(d *decoder, c *Call, i int) arg {
	const flagsField, pidfd, childTID, parentTID, exitSignal, stack, stackSize, tls, setTID,
		setTIDSize, cgroup, fields = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
	const first = 64 / 8 // the size of the first version
	words := readWords(d.mem, c.args[i], 8, int(min(c.args[i+1]/8, fields)))
	if c.args[i] == 0 || len(words) < first {
		return number(pointer(c.args[i]), 0)
	}
	words = append(words, make([]uint64, fields-len(words))...)
	value := words[flagsField]
	parts := []string{"flags=" + flags(cloneFlags, value)}
	add := func(bits uint64, name string, field int) {
		if value&bits != 0 {
			parts = append(parts, name+"="+pointer(words[field]))
		}
	}
	add(unix.CLONE_PIDFD, "pidfd", pidfd)
	add(unix.CLONE_CHILD_SETTID|unix.CLONE_CHILD_CLEARTID, "child_tid", childTID)
	add(unix.CLONE_PARENT_SETTID, "parent_tid", parentTID)
	parts = append(parts, "exit_signal="+signalName(words[exitSignal]),
		"stack="+pointer(words[stack]), "stack_size="+hex(words[stackSize]))
	add(unix.CLONE_SETTLS, "tls", tls)
	if words[setTIDSize] != 0 {
		pids := readWords(d.mem, words[setTID], 4, int(min(words[setTIDSize], 32)))
		parts = append(parts, "set_tid="+strings.ReplaceAll(fmt.Sprint(pids), " ", ", "),
			fmt.Sprintf("set_tid_size=%d", words[setTIDSize]))
	}
	a := number("", value)
	if value&unix.CLONE_INTO_CGROUP != 0 {
		opened := d.open(int32(words[cgroup]))
		a.str = opened.str
		parts = append(parts, "cgroup="+opened.text)
	}
	a.text = "{" + strings.Join(parts, ", ") + "}"
	return a
}

// mountAttr decodes struct mount_attr of mount_setattr(2), four numbers of 64
// bits. The argument's list has them.
//
//	{attr_set=MOUNT_ATTR_RDONLY, attr_clr=0, propagation=0, userns_fd=0}
func mountAttr(d *decoder, c *Call, i int) arg {
	words := readWords(d.mem, c.args[i], 8, 4)
	if c.args[i] == 0 || len(words) < 4 {
		return number(pointer(c.args[i]), c.args[i])
	}
	propagation := "0"
	if words[2] != 0 {
		propagation = flags(propagations, words[2])
	}
	userNS := fmt.Sprint(words[3])
	if words[0]&unix.MOUNT_ATTR_IDMAP != 0 {
		userNS = d.open(int32(words[3])).text
	}
	a := number(fmt.Sprintf("{attr_set=%s, attr_clr=%s, propagation=%s, userns_fd=%s}",
		flags(mountAttrFlags, words[0]), flags(mountAttrFlags, words[1]),
		propagation, userNS), c.args[i])
	for _, w := range words {
		a.list = append(a.list, fmt.Sprint(w))
	}
	return a
}

// prctl decodes prctl(2), whose first argument says what the others are.
//
//	prctl(PR_CAPBSET_DROP, CAP_SYS_ADMIN)
func (d *decoder) prctl(c *Call) []arg {
	option, value := c.args[0]&(1<<32-1), c.args[1]
	decoded := []arg{number(named(prctlOptions, option, "PR_???"), option)}
	one := func(text string) []arg { return append(decoded, number(text, value)) }
	switch option {
	case unix.PR_SET_PDEATHSIG:
		return one(signalName(value))
	case unix.PR_SET_DUMPABLE:
		return one(named(dumpable, value, "SUID_DUMP_???"))
	case unix.PR_CAPBSET_DROP, unix.PR_CAPBSET_READ:
		return one(capability(value))
	case unix.PR_SET_SECUREBITS:
		return one(flags(secureBits, value))
	case unix.PR_SET_KEEPCAPS, unix.PR_SET_CHILD_SUBREAPER, unix.PR_SET_TIMERSLACK:
		return one(fmt.Sprint(value))
	case unix.PR_SET_NAME:
		const most = 15 // the kernel keeps 16 bytes with the NUL
		return append(decoded, d.str(value, most))
	case unix.PR_GET_DUMPABLE, unix.PR_GET_KEEPCAPS, unix.PR_GET_SECCOMP,
		unix.PR_GET_SECUREBITS, unix.PR_GET_TIMERSLACK:
		return decoded
	case unix.PR_GET_PDEATHSIG, unix.PR_GET_NAME, unix.PR_GET_CHILD_SUBREAPER,
		unix.PR_GET_TID_ADDRESS:
		return one(pointer(value))
	case unix.PR_SET_SECCOMP:
		decoded = one(named(seccompModes, value, "SECCOMP_MODE_???"))
		if value == unix.SECCOMP_MODE_FILTER {
			decoded = append(decoded, d.program(c, c.args[2]))
		}
		return decoded
	case unix.PR_CAP_AMBIENT:
		decoded = one(named(ambientOps, value, "PR_CAP_AMBIENT_???"))
		text := hex(c.args[2])
		if value != unix.PR_CAP_AMBIENT_CLEAR_ALL {
			text = capability(c.args[2])
		}
		return append(decoded, number(text, c.args[2]),
			number(hex(c.args[3]), c.args[3]), number(hex(c.args[4]), c.args[4]))
	case unix.PR_SET_NO_NEW_PRIVS, unix.PR_GET_NO_NEW_PRIVS, unix.PR_SET_THP_DISABLE:
		decoded = one(fmt.Sprint(value))
	default:
		decoded = one(hex(value))
	}
	for _, rest := range c.args[2:5] {
		decoded = append(decoded, number(hex(rest), rest))
	}
	return decoded
}
