//go:build linux

package seccomp

import (
	"runtime"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Actions are those that a profile may name.
func Actions() []string {
	var list []string
	for _, a := range actions {
		list = append(list, string(a.name))
	}
	return list
}

// Operators are those that a condition may have.
func Operators() []string {
	var list []string
	for _, op := range operators {
		list = append(list, string(op))
	}
	return list
}

// Architectures are those whose programs this kernel may run, the own one first.
func Architectures() []string {
	var list []string
	for _, m := range machines(runtime.GOARCH) {
		for _, arch := range m.archs {
			list = append(list, string(arch))
		}
	}
	return list
}

// Flags are those that a profile may have, and which of them this kernel knows.
func Flags() (known, supported []string) {
	for _, f := range flags {
		known = append(known, string(f.name))
		// There is no filter at this address: EFAULT says that the flag was no reason
		// to refuse, EINVAL that it was.
		value := f.value
		if value == unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV {
			value |= unix.SECCOMP_FILTER_FLAG_NEW_LISTENER // it means nothing without
		}
		_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
			uintptr(value), 0)
		if errno == unix.EFAULT {
			supported = append(supported, string(f.name))
		}
	}
	return known, supported
}

// operators are the comparisons of the specification.
var operators = [...]specs.LinuxSeccompOperator{
	specs.OpNotEqual, specs.OpLessThan, specs.OpLessEqual, specs.OpEqualTo,
	specs.OpGreaterEqual, specs.OpGreaterThan, specs.OpMaskedEqual,
}

// flag is one of a profile, and whether the kernel gets it.
type flag struct {
	name  specs.LinuxSeccompFlag
	value uint
	pass  bool
}

// flags are those of the specification. TSYNC, the same filter for all threads, is
// accepted and not passed on: the thread that loads is the one that executes the program,
// and no other survives that.
var flags = [...]flag{
	{"SECCOMP_FILTER_FLAG_TSYNC", unix.SECCOMP_FILTER_FLAG_TSYNC, false},
	{specs.LinuxSeccompFlagLog, unix.SECCOMP_FILTER_FLAG_LOG, true},
	{specs.LinuxSeccompFlagSpecAllow, unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW, true},
	{specs.LinuxSeccompFlagWaitKillableRecv, unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, true},
}
