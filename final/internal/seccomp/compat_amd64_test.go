package seccomp

import (
	"errors"
	"os/exec"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A 32-bit program is killed unless the profile names its architecture; if it does, its
// rules are about that architecture's own numbers.
func Test32BitPrograms(t *testing.T) {
	getpid := program(t, elf32(codeX86))
	if err := exec.CommandContext(t.Context(), getpid).Run(); errors.Is(err, unix.ENOEXEC) {
		t.Skip("this kernel runs no 32-bit programs (CONFIG_IA32_EMULATION)")
	}
	given := errnoIs(&specs.LinuxSeccomp{
		DefaultAction: specs.ActAllow,
		Syscalls: []specs.LinuxSyscall{
			{Names: []string{"getpid"}, Action: specs.ActErrno},
		},
	}, 7)
	status, said := run(t, command(t, given, getpid))
	require.Equal(t, sigsys, status, said)
	given.Architectures = []specs.Arch{specs.ArchX86}
	status, said = run(t, command(t, given, getpid))
	require.Equal(t, 7, status, said)
}

// So is one with x32 calls, which differ from x86-64 by a bit.
func TestX32Programs(t *testing.T) {
	yield := payload(t, unix.SYS_SCHED_YIELD|x32Bit, 0)
	given := errnoIs(only(specs.ActErrno), 7)
	status, said := run(t, command(t, given, yield))
	require.Equal(t, sigsys, status, said)
	given.Architectures = []specs.Arch{specs.ArchX32}
	status, said = run(t, command(t, given, yield))
	require.Equal(t, 7, status, said)
}

// x86 makes socket(2) inside of socketcall(2), too.
func TestMultiplexedCalls(t *testing.T) {
	one := func(name string, act specs.LinuxSeccompAction, args ...specs.LinuxSeccompArg,
	) *specs.LinuxSeccomp {
		p := only(act, args...)
		p.Syscalls[0].Names = []string{name}
		p.Architectures = []specs.Arch{specs.ArchX86}
		if act == specs.ActAllow {
			p.DefaultAction = specs.ActErrno
		}
		return p
	}
	packets := specs.LinuxSeccompArg{Index: 0, Op: specs.OpEqualTo, Value: unix.AF_PACKET}
	const socketcall, ipc = 102, 117
	const allow, refuse = unix.SECCOMP_RET_ALLOW, unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	for _, test := range []struct {
		name   string
		given  *specs.LinuxSeccomp
		number uint32
		first  uint64
		want   uint32
	}{
		{"a refused socket", one("socket", specs.ActErrno), socketcall, 1, refuse},
		{"a bind beside it", one("socket", specs.ActErrno), socketcall, 2, allow},
		{"socket itself", one("socket", specs.ActErrno), 359, 1, refuse},
		{"a socket of one family", one("socket", specs.ActErrno, packets), socketcall, 1, refuse},
		{"an allowed family", one("socket", specs.ActAllow, packets), socketcall, 1, refuse},
		{"an allowed socket", one("socket", specs.ActAllow), socketcall, 1, allow},
		{"ipc with a version", one("shmat", specs.ActErrno), ipc, 1<<16 | 21, refuse},
		{"another ipc", one("shmat", specs.ActErrno), ipc, 22, allow},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, err := compileFor(test.given, "amd64")
			require.NoError(t, err)
			c := call{number: test.number, audit: unix.AUDIT_ARCH_I386}
			c.args[0] = test.first
			got, _, err := f.interpret(c)
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		})
	}
}
