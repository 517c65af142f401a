//go:build linux

package trace

import (
	_ "embed" // the table of calls
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

//go:embed calls.txt
var callsText string

// signatures reads calls.txt: the kinds of each call's arguments.
func signatures() map[string][]string {
	table := make(map[string][]string, 256)
	for line := range strings.Lines(callsText) {
		fields := strings.Fields(line)
		if len(fields) > 0 && fields[0] != "#" {
			table[fields[0]] = fields[1:]
		}
	}
	return table
}

// abi is how one kind of program calls the kernel.
type abi struct {
	names []string // by number
	word  int      // bytes of a pointer
	bits  string   // "32-bit" where that is worth saying, else ""
	// tlsLast tells the order of clone(2)'s last two arguments: amd64 alone has
	// the child's tid before the thread's storage.
	tlsLast bool
}

// abiOf returns what belongs to a value of AUDIT_ARCH_*: see linux/audit.h.
func abiOf(arch uint32) abi {
	switch arch {
	case unix.AUDIT_ARCH_X86_64:
		return abi{namesAMD64[:], 8, "", true}
	case unix.AUDIT_ARCH_AARCH64:
		return abi{namesARM64[:], 8, "", false}
	case unix.AUDIT_ARCH_I386:
		return abi{names386[:], 4, "32-bit", false}
	case unix.AUDIT_ARCH_ARM:
		return abi{namesARM[:], 4, "32-bit", false}
	}
	return abi{word: 8}
}

// x32 marks the calls of amd64 programs with 32-bit pointers.
const x32 = 0x40000000

// name returns a call's name, or syscall_NUMBER.
func (a abi) name(number uint64) string {
	n := number &^ x32
	if n < uint64(len(a.names)) && a.names[n] != "" {
		return generalName(a.names[n])
	}
	return "syscall_" + strconv.FormatUint(number, 10)
}

// generalName returns the name under which calls.txt has a call: some
// 32-bit calls have a number at the end because they once were 16-bit.
func generalName(name string) string {
	switch name {
	case "setuid32", "setgid32", "setreuid32", "setregid32", "setresuid32", "setresgid32",
		"setgroups32", "chown32", "lchown32", "fchown32", "getuid32", "getgid32",
		"geteuid32", "getegid32":
		return strings.TrimSuffix(name, "32")
	case "ugetrlimit":
		return "getrlimit"
	case "fstatat":
		return "newfstatat"
	}
	return name
}
