//go:build linux

package trace

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// specials are the calls in which one argument says what another one is.
func specials() map[string]func(*decoder, *Call) []arg {
	return map[string]func(*decoder, *Call) []arg{
		"clone": (*decoder).clone, "mount": (*decoder).mount, "prctl": (*decoder).prctl,
		"seccomp": (*decoder).seccomp, "capset": (*decoder).capset,
		"fsconfig": (*decoder).fsconfig,
	}
}

// clone decodes clone(2). Its flags end with a signal, and most pointers count
// only with their flag.
//
//	clone(child_stack=NULL, flags=CLONE_NEWPID|SIGCHLD)
func (d *decoder) clone(c *Call) []arg {
	const signalMask = 0xff
	value := c.args[0] & (1<<32 - 1)
	parentTID, childTID, tls := c.args[2], c.args[3], c.args[4]
	if !c.abi.tlsLast {
		childTID, tls = tls, childTID
	}
	text := flags(cloneFlags, value&^signalMask)
	if signal := value & signalMask; signal != 0 {
		text = strings.TrimPrefix(text+"|"+signalName(signal), "0|")
	}
	decoded := []arg{
		number("child_stack="+pointer(c.args[1]), c.args[1]),
		number("flags="+text, value&^signalMask),
	}
	if value&(unix.CLONE_PARENT_SETTID|unix.CLONE_PIDFD) != 0 {
		text := pointer(parentTID)
		if words := readWords(d.mem, parentTID, 4, 1); c.finished && len(words) == 1 {
			text = fmt.Sprintf("[%d]", words[0])
		}
		decoded = append(decoded, number("parent_tid="+text, parentTID))
	}
	if value&unix.CLONE_SETTLS != 0 {
		decoded = append(decoded, number("tls="+pointer(tls), tls))
	}
	if value&(unix.CLONE_CHILD_SETTID|unix.CLONE_CHILD_CLEARTID) != 0 {
		decoded = append(decoded, number("child_tidptr="+pointer(childTID), childTID))
	}
	return decoded
}

// mount decodes mount(2), whose flags say which of the other arguments count.
//
//	mount("none", "/", NULL, MS_REC|MS_PRIVATE, NULL)
func (d *decoder) mount(c *Call) []arg {
	value := c.args[3] & (1<<32 - 1)
	flagsText := ""
	// Programs older than Linux 2.4 put a magic number into the upper half.
	const magic, magicMask = 0xc0ed0000, 0xffff0000
	if value&magicMask == magic {
		value &^= magicMask
		flagsText = "MS_MGC_VAL"
	}
	switch {
	case flagsText == "":
		flagsText = flags(mountFlags, value)
	case value != 0:
		flagsText += "|" + flags(mountFlags, value)
	}
	const changes = unix.MS_BIND | unix.MS_MOVE | unix.MS_SHARED | unix.MS_PRIVATE |
		unix.MS_SLAVE | unix.MS_UNBINDABLE
	fstype, data := text(d, c, 2), text(d, c, 4)
	if value&(changes|unix.MS_REMOUNT) != 0 {
		fstype = number(pointer(c.args[2]), c.args[2])
	}
	if value&changes != 0 && value&unix.MS_REMOUNT == 0 {
		data = number(pointer(c.args[4]), c.args[4])
	}
	return []arg{path(d, c, 0), path(d, c, 1), fstype, number(flagsText, value), data}
}

// fsconfig decodes fsconfig(2), whose command says what the value is.
//
//	fsconfig(5, FSCONFIG_SET_STRING, "source", "/dev/sda1", 0)
func (d *decoder) fsconfig(c *Call) []arg {
	command := c.args[1] & (1<<32 - 1)
	value, aux := number(pointer(c.args[3]), c.args[3]), signed(int64(int32(c.args[4])))
	switch command {
	case unix.FSCONFIG_SET_STRING:
		value = text(d, c, 3)
	case unix.FSCONFIG_SET_BINARY:
		value = d.bytes(c.args[3], c.args[4])
	case unix.FSCONFIG_SET_PATH, unix.FSCONFIG_SET_PATH_EMPTY:
		value, aux = path(d, c, 3), descriptor(d, c, 4)
	case unix.FSCONFIG_SET_FD:
		aux = descriptor(d, c, 4)
	}
	return []arg{
		descriptor(d, c, 0), number(named(fsconfigCommands, command, "FSCONFIG_???"), command),
		text(d, c, 2), value, aux,
	}
}

// seccomp decodes seccomp(2).
//
//	seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, {len=42, filter=0x…})
func (d *decoder) seccomp(c *Call) []arg {
	op, value := c.args[0]&(1<<32-1), c.args[1]&(1<<32-1)
	decoded := []arg{
		number(named(seccompOps, op, "SECCOMP_SET_MODE_???"), op), number(hex(value), value),
	}
	switch op {
	case unix.SECCOMP_SET_MODE_FILTER:
		decoded[1].text = flags(seccompFlags, value)
		return append(decoded, d.program(c, c.args[2]))
	case unix.SECCOMP_GET_ACTION_AVAIL:
		if words := readWords(d.mem, c.args[2], 4, 1); len(words) == 1 {
			name := named(seccompActions, words[0], "SECCOMP_RET_???")
			return append(decoded, number("["+name+"]", words[0]))
		}
	case unix.SECCOMP_GET_NOTIF_SIZES:
		// Three numbers of 16 bits, once the kernel has filled them in.
		if w := readWords(d.mem, c.args[2], 2, 3); c.finished && len(w) == 3 {
			return append(decoded, number(fmt.Sprintf("{seccomp_notif=%d, "+
				"seccomp_notif_resp=%d, seccomp_data=%d}", w[0], w[1], w[2]), c.args[2]))
		}
	}
	return append(decoded, number(pointer(c.args[2]), c.args[2]))
}

// program decodes the head of a BPF program, struct sock_fprog: a length and,
// aligned, a pointer. The number of the argument is the length.
func (d *decoder) program(c *Call, addr uint64) arg {
	words := readWords(d.mem, addr, c.abi.word, 2)
	if addr == 0 || len(words) < 2 {
		return number(pointer(addr), 0)
	}
	length := readWords(d.mem, addr, 4, 1)[0] & 0xffff
	return number(fmt.Sprintf("{len=%d, filter=%s}", length, pointer(words[1])), length)
}

// capHeader decodes the header of capget(2) and capset(2).
//
//	{version=_LINUX_CAPABILITY_VERSION_3, pid=0}
func capHeader(d *decoder, c *Call, i int) arg {
	words := readWords(d.mem, c.args[i], 4, 2)
	if c.args[i] == 0 || len(words) < 2 {
		return number(pointer(c.args[i]), c.args[i])
	}
	return number(fmt.Sprintf("{version=%s, pid=%d}",
		named(capVersions, words[0], "_LINUX_CAPABILITY_VERSION_???"), int32(words[1])), words[0])
}

// capset decodes capset(2): three sets, in two halves of 32 bits since version 2.
// The argument's list has the sets as numbers: effective, permitted, inheritable.
func (d *decoder) capset(c *Call) []arg {
	header := capHeader(d, c, 0)
	halves := 2
	if header.num == unix.LINUX_CAPABILITY_VERSION_1 {
		halves = 1
	}
	words := readWords(d.mem, c.args[1], 4, 3*halves)
	if c.args[1] == 0 || len(words) < 3*halves {
		return []arg{header, number(pointer(c.args[1]), c.args[1])}
	}
	sets := [3]uint64{words[0], words[1], words[2]}
	for i := 3; i < len(words); i++ {
		sets[i-3] |= words[i] << 32
	}
	a := arg{num: c.args[1]}
	var long, brief []string
	for i, name := range []string{"effective", "permitted", "inheritable"} {
		long = append(long, name+"="+capabilitySet(sets[i]))
		brief = append(brief, name+"="+hex(sets[i]))
		a.list = append(a.list, fmt.Sprint(sets[i]))
	}
	a.text, a.brief = "{"+strings.Join(long, ", ")+"}", "{"+strings.Join(brief, ", ")+"}"
	return []arg{header, a}
}
