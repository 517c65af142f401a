//go:build linux

package trace

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// candidates are the calls that watch decides on; no other makes a container.
var candidates = []string{
	"clone", "clone3", "fork", "vfork", "unshare", "setns",
	"mount", "umount", "umount2", "pivot_root", "chroot", "open_tree", "open_tree_attr",
	"move_mount", "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr",
	"sethostname", "setdomainname", "capset", "seccomp", "prctl", "landlock_restrict_self",
	"mknod", "mknodat", "execve", "execveat",
	"setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setgroups",
	"write", "writev", "pwrite64", "pwritev", "pwritev2",
	"mkdir", "mkdirat", "rmdir", "unlinkat",
}

// longestSetting is how much a write to a kernel file can hold: a page. Longer
// writes set up nothing.
const longestSetting = 4096

// The fields of struct seccomp_data: linux/seccomp.h.
const (
	dataNumber = 0
	dataArch   = 4
	dataThird  = 16 + 2*8 // the lower half of the third argument
)

// sieve makes a BPF program that stops a traced thread at the candidates and lets
// all other calls run at full speed:
//
//	another architecture than ours, or x32: stop
//	write(2) or pwrite64(2) of more than a page: run
//	a candidate: stop
//	else: run
func sieve() []unix.SockFilter {
	const stop, run = unix.SECCOMP_RET_TRACE, unix.SECCOMP_RET_ALLOW
	native, names := uint32(unix.AUDIT_ARCH_X86_64), namesAMD64[:]
	if runtime.GOARCH == "arm64" {
		native, names = unix.AUDIT_ARCH_AARCH64, namesARM64[:]
	}
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	answer := func(action uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: action}
	}
	// jump compares; it skips so many instructions if that is true, or else.
	jump := func(compare uint16, k uint32, yes, no uint8) unix.SockFilter {
		return unix.SockFilter{
			Code: unix.BPF_JMP | unix.BPF_K | compare, K: k, Jt: yes, Jf: no,
		}
	}

	program := []unix.SockFilter{
		load(dataArch), jump(unix.BPF_JEQ, native, 1, 0), answer(stop),
		load(dataNumber), jump(unix.BPF_JGE, x32, 0, 1), answer(stop),
	}
	for number, name := range names {
		n := uint32(number)
		switch {
		case name == "write" || name == "pwrite64":
			program = append(program, jump(unix.BPF_JEQ, n, 0, 4), load(dataThird),
				jump(unix.BPF_JGT, longestSetting, 0, 1), answer(run), answer(stop))
		case slices.Contains(candidates, name):
			program = append(program, jump(unix.BPF_JEQ, n, 0, 1), answer(stop))
		}
	}
	return append(program, answer(run))
}

// installSieve puts the sieve on this thread. Without no_new_privs, which would
// disarm set-user-ID programs, that takes CAP_SYS_ADMIN.
func installSieve() error {
	program := sieve()
	head := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	// SPEC_ALLOW: before Linux 5.16 a filter slowed the whole process down.
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW, uintptr(unsafe.Pointer(&head)))
	if errno != 0 {
		return fmt.Errorf("install the filter: %w", errno)
	}
	return nil
}

// mayInstallSieve reports whether this process has CAP_SYS_ADMIN in its user
// namespace.
//
//	CapEff:	000001ffffffffff
func mayInstallSieve() bool {
	set, err := strconv.ParseUint(statusField(os.Getpid(), "CapEff"), 16, 64)
	return err == nil && set&(1<<unix.CAP_SYS_ADMIN) != 0
}

// passed is the stop of a thread at a call that the sieve has held up. Where every
// call is a stop the entry has been seen already.
func (t *tracer) passed(tk *task) error {
	t.sieved = t.sieved || t.begun && !t.all
	if tk.call != nil || tk.passing {
		return nil
	}
	info, err := callInfo(tk.tid)
	if err != nil {
		return err
	}
	t.enter(tk, info)
	tk.passing = false // there will be no stop at its exit
	return nil
}

// ownFilter notes that a process has installed a filter of its own: what that one
// refuses never reaches the sieve, for an error goes before a stop. From now on
// every call of the process, and of its children, is a stop; its other threads are
// stopped once to learn it.
func (t *tracer) ownFilter(tk *task, c *Call) {
	option := c.args[0] & (1<<32 - 1)
	sets := c.Name == "seccomp" && option <= unix.SECCOMP_SET_MODE_FILTER ||
		c.Name == "prctl" && option == unix.PR_SET_SECCOMP
	if !sets || c.errno != 0 || tk.proc.closely {
		return
	}
	tk.proc.closely = true
	for _, other := range t.tasks {
		if other.proc == tk.proc && other != tk {
			_ = request(unix.PTRACE_INTERRUPT, other.tid, 0) // it may have ended
		}
	}
}

// resume lets a stopped thread run to its next stop, with a signal or 0: to the
// next entry or exit of a call, or to the next that the sieve holds up.
func (t *tracer) resume(tk *task, signal unix.Signal) error {
	if t.sieved && tk.call == nil && !tk.passing && !tk.proc.closely {
		return request(unix.PTRACE_CONT, tk.tid, uintptr(signal))
	}
	return toNextStop(tk.tid, signal)
}
