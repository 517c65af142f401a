//go:build linux

package seccomp

import (
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// reading is a profile read from top to bottom, one rule after the other, with none of
// the compiler's code but the table of numbers.
type reading struct {
	*specs.LinuxSeccomp
	goarch string
	rules  map[specs.Arch]map[uint32][]specs.LinuxSyscall // in their order
	newest int64
}

func read(p *specs.LinuxSeccomp, goarch string) reading {
	r := reading{p, goarch, map[specs.Arch]map[uint32][]specs.LinuxSyscall{}, 423}
	for _, arch := range architectures[:5] {
		r.rules[arch] = map[uint32][]specs.LinuxSyscall{}
	}
	for _, s := range p.Syscalls {
		for _, name := range s.Names {
			known, _ := find(name)
			r.newest = max(r.newest, int64(known.x86_64), int64(known.arm64))
			if value(s.Action, s.ErrnoRet) == value(p.DefaultAction, p.DefaultErrnoRet) {
				continue // it says what happens anyway
			}
			for arch, rules := range r.rules {
				for _, number := range known.numbers(arch) {
					rules[number] = append(rules[number], s)
				}
			}
		}
	}
	return r
}

// verdict is what the profile means for a call.
func (r reading) verdict(c call) uint32 {
	arch, ok := archOf(r.LinuxSeccomp, r.goarch, c)
	if !ok {
		return unix.SECCOMP_RET_KILL_PROCESS
	}
	rules := r.rules[arch][c.number]
	if len(rules) == 0 && r.newerThanAll(arch, c.number) && r.DefaultAction == specs.ActErrno {
		return unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
	}
	for _, conditional := range []bool{false, true} {
		for _, s := range rules {
			if conditional == (len(s.Args) > 0) && holds(s.Args, arch, c) {
				return value(s.Action, s.ErrnoRet)
			}
		}
	}
	return value(r.DefaultAction, r.DefaultErrnoRet)
}

// newerThanAll reports whether a number is above all that the profile names.
func (r reading) newerThanAll(arch specs.Arch, number uint32) bool {
	if arch == specs.ArchX32 {
		number &^= x32Bit
	}
	return int64(number) > r.newest
}

// archOf tells whose call it is, and false if the profile has none of that.
func archOf(p *specs.LinuxSeccomp, goarch string, c call) (specs.Arch, bool) {
	has := func(arch specs.Arch) bool { return slices.Contains(p.Architectures, arch) }
	switch {
	case goarch == "amd64" && c.audit == unix.AUDIT_ARCH_X86_64:
		if c.number&x32Bit != 0 && c.number != ^uint32(0) {
			return specs.ArchX32, has(specs.ArchX32)
		}
		return specs.ArchX86_64, true
	case goarch == "amd64" && c.audit == unix.AUDIT_ARCH_I386:
		return specs.ArchX86, has(specs.ArchX86)
	case goarch == "arm64" && c.audit == unix.AUDIT_ARCH_AARCH64:
		return specs.ArchAARCH64, true
	case goarch == "arm64" && c.audit == unix.AUDIT_ARCH_ARM:
		return specs.ArchARM, has(specs.ArchARM)
	}
	return "", false
}

// holds evaluates conditions.
func holds(args []specs.LinuxSeccompArg, arch specs.Arch, c call) bool {
	count, every, some := map[uint]int{}, true, false
	for _, arg := range args {
		count[arg.Index]++
		yes := compares(arg, arch, c.args[arg.Index])
		every, some = every && yes, some || yes
	}
	for _, n := range count {
		if n > 1 {
			return some
		}
	}
	return every
}

// compares evaluates one condition.
func compares(arg specs.LinuxSeccompArg, arch specs.Arch, given uint64) bool {
	want, two := arg.Value, arg.ValueTwo
	if arch == specs.ArchX86 || arch == specs.ArchARM {
		given, want, two = given&(1<<32-1), want&(1<<32-1), two&(1<<32-1)
	}
	return map[specs.LinuxSeccompOperator]bool{
		specs.OpNotEqual:     given != want,
		specs.OpLessThan:     given < want,
		specs.OpLessEqual:    given <= want,
		specs.OpEqualTo:      given == want,
		specs.OpGreaterEqual: given >= want,
		specs.OpGreaterThan:  given > want,
		specs.OpMaskedEqual:  given&want == two&want,
	}[arg.Op]
}

// value is the number of an action.
func value(action specs.LinuxSeccompAction, errno *uint) uint32 {
	data := uint32(unix.EPERM)
	if errno != nil {
		data = uint32(*errno)
	}
	switch action {
	case specs.ActErrno:
		return 0x00050000 | data
	case specs.ActTrace:
		return 0x7ff00000 | data
	default:
		return fixed[action]
	}
}

// fixed are the actions without an errno, as linux/seccomp.h has them.
var fixed = map[specs.LinuxSeccompAction]uint32{
	specs.ActKill:        0,
	specs.ActKillThread:  0,
	specs.ActKillProcess: 0x80000000,
	specs.ActTrap:        0x00030000,
	specs.ActNotify:      0x7fc00000,
	specs.ActLog:         0x7ffc0000,
	specs.ActAllow:       0x7fff0000,
}
