//go:build linux

package seccomp

import (
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

//go:generate sh -c "go run ./numbers >table.tmp && mv table.tmp table.go"

// row is a system call and its number in each of four tables of the kernel.
type row struct {
	name                    string
	x86_64, x86, arm64, arm int32
}

// none is the number of a call that an architecture does not have.
const none = -1

// find returns the row of a call.
func find(name string) (row, bool) {
	i, ok := slices.BinarySearchFunc(table[:], name, func(r row, name string) int {
		return strings.Compare(r.name, name)
	})
	if !ok {
		return row{}, false
	}
	return table[i], true
}

// x32Bit is in the numbers of the x32 calls: 64-bit programs with 32-bit pointers,
// which the kernel does not tell from x86-64 by seccomp_data.arch.
const x32Bit = 0x40000000

// x32Own are the calls that have an x32 number of their own: pointers lie in what they
// take. The number of x86-64 with the bit works for some kernels, too.
var x32Own = [...]string{
	"rt_sigaction", "rt_sigreturn", "ioctl", "readv", "writev", "recvfrom", "sendmsg", "recvmsg",
	"execve", "ptrace", "rt_sigpending", "rt_sigtimedwait", "rt_sigqueueinfo", "sigaltstack",
	"timer_create", "mq_notify", "kexec_load", "waitid", "set_robust_list", "get_robust_list",
	"vmsplice", "move_pages", "preadv", "pwritev", "rt_tgsigqueueinfo", "recvmmsg", "sendmmsg",
	"process_vm_readv", "process_vm_writev", "setsockopt", "getsockopt", "io_setup", "io_submit",
	"execveat", "preadv2", "pwritev2",
}

// firstX32Own is the number of the first of them: arch/x86/entry/syscalls.
const firstX32Own = 512

// numbers are those that a call has in an architecture: none, one, or in x32 two.
func (r row) numbers(arch specs.Arch) []uint32 {
	number := int32(none)
	switch arch {
	case specs.ArchX86_64, specs.ArchX32:
		number = r.x86_64
	case specs.ArchX86:
		number = r.x86
	case specs.ArchAARCH64:
		number = r.arm64
	case specs.ArchARM:
		number = r.arm
	default: // no machine of ours runs it
	}
	if number == none {
		return nil
	}
	if arch != specs.ArchX32 {
		return []uint32{uint32(number)}
	}
	list := []uint32{uint32(number) | x32Bit}
	if i := slices.Index(x32Own[:], r.name); i >= 0 {
		list = append(list, uint32(firstX32Own+i)|x32Bit)
	}
	return list
}

// machine is a set of architectures that the kernel tells apart by seccomp_data.arch.
type machine struct {
	audit uint32 // AUDIT_ARCH_… of linux/audit.h
	archs []specs.Arch
}

// machines are those whose programs a kernel runs; the first is its own.
func machines(goarch string) []machine {
	switch goarch {
	case "amd64":
		return []machine{
			{unix.AUDIT_ARCH_X86_64, []specs.Arch{specs.ArchX86_64, specs.ArchX32}},
			{unix.AUDIT_ARCH_I386, []specs.Arch{specs.ArchX86}},
		}
	case "arm64":
		return []machine{
			{unix.AUDIT_ARCH_AARCH64, []specs.Arch{specs.ArchAARCH64}},
			{unix.AUDIT_ARCH_ARM, []specs.Arch{specs.ArchARM}},
		}
	}
	return nil
}

// narrow reports whether the arguments of an architecture's calls have 32 bits.
func narrow(arch specs.Arch) bool { return arch == specs.ArchX86 || arch == specs.ArchARM }

// multiplexed are the calls that x86 has had inside of two others, with the number by
// which those choose: linux/net.h, linux/ipc.h. Of ipc's only 16 bits count.
var multiplexed = [...]struct {
	outer, inner string
	number       uint64
	mask         uint64
}{
	{"socketcall", "socket", 1, 0xffffffff},
	{"socketcall", "bind", 2, 0xffffffff},
	{"socketcall", "connect", 3, 0xffffffff},
	{"socketcall", "listen", 4, 0xffffffff},
	{"socketcall", "accept", 5, 0xffffffff},
	{"socketcall", "getsockname", 6, 0xffffffff},
	{"socketcall", "getpeername", 7, 0xffffffff},
	{"socketcall", "socketpair", 8, 0xffffffff},
	{"socketcall", "send", 9, 0xffffffff},
	{"socketcall", "recv", 10, 0xffffffff},
	{"socketcall", "sendto", 11, 0xffffffff},
	{"socketcall", "recvfrom", 12, 0xffffffff},
	{"socketcall", "shutdown", 13, 0xffffffff},
	{"socketcall", "setsockopt", 14, 0xffffffff},
	{"socketcall", "getsockopt", 15, 0xffffffff},
	{"socketcall", "sendmsg", 16, 0xffffffff},
	{"socketcall", "recvmsg", 17, 0xffffffff},
	{"socketcall", "accept4", 18, 0xffffffff},
	{"socketcall", "recvmmsg", 19, 0xffffffff},
	{"socketcall", "sendmmsg", 20, 0xffffffff},
	{"ipc", "semop", 1, 0xffff},
	{"ipc", "semget", 2, 0xffff},
	{"ipc", "semctl", 3, 0xffff},
	{"ipc", "semtimedop", 4, 0xffff},
	{"ipc", "msgsnd", 11, 0xffff},
	{"ipc", "msgrcv", 12, 0xffff},
	{"ipc", "msgget", 13, 0xffff},
	{"ipc", "msgctl", 14, 0xffff},
	{"ipc", "shmat", 21, 0xffff},
	{"ipc", "shmdt", 22, 0xffff},
	{"ipc", "shmget", 23, 0xffff},
	{"ipc", "shmctl", 24, 0xffff},
}
