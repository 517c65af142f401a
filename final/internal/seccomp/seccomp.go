//go:build linux

// Package seccomp turns linux.seccomp of an OCI configuration into a filter of the
// kernel, and loads it.
//
//	filter, err := seccomp.Compile(spec.Linux.Seccomp)  // pure; in the runtime
//	text, err := json.Marshal(filter)                   // small: it travels to init
//	err = filter.Load(deliver)                          // on init's locked thread, or
//	err = filter.Exec(path, argv, env, deliver)         // … and execve(2), nothing between
//
// A filter is a program for a small machine, BPF, that the kernel runs at each system
// call of the thread with the call's number, its architecture and its arguments in
// sight. It answers with an action. Jumps only go forward.
//
// A profile is a list of some 400 calls, and a chain of 400 comparisons would cost that
// much at every call, and much more when it is loaded: the kernel then asks each number
// whether its answer is constant. Numbers with the same answer are neighbours, mostly, so
// the program is a search tree over ranges of numbers instead: some eight comparisons.
//
// What a profile means where the specification leaves it open:
//   - A call's rule without conditions goes before those with; of several rules the first
//     that holds decides.
//   - Conditions of a rule must all hold; but if two are about one argument each stands
//     alone, as with libseccomp under other runtimes.
//   - Without architectures the kernel's own one is meant, and it always is. Programs of
//     one that is not in the list are killed; one that cannot run here is left out.
//   - Names that no architecture here has are left out: see Filter.Unknown.
//   - If the default action is an errno, calls that are newer than the whole profile get
//     ENOSYS: programs try new calls and fall back on old ones only then.
//
// See seccomp(2), seccomp_unotify(2), bpf(4).
package seccomp

import (
	"encoding/binary"
	"fmt"
	"runtime"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Filter is a profile ready for the kernel.
type Filter struct {
	// Program is an array of struct sock_filter, eight bytes each.
	Program []byte `json:"program"`
	// Flags are SECCOMP_FILTER_FLAG_….
	Flags uint `json:"flags,omitempty"`
	// Notify says that a call may be answered by another process: Load delivers the
	// file on which that process listens.
	Notify bool `json:"notify,omitempty"`
	// Unknown are names in the profile that no architecture here has.
	Unknown []string `json:"-"`
}

// Len is the number of instructions.
func (f *Filter) Len() int { return len(f.Program) / instructionSize }

// instructionSize is that of struct sock_filter:
//
//	code(2) jt(1) jf(1) k(4)
const instructionSize = 8

// Compile compiles a profile for this machine. An error is one of the profile, in words.
func Compile(profile *specs.LinuxSeccomp) (*Filter, error) {
	return compileFor(profile, runtime.GOARCH)
}

// compileFor compiles for a kernel of this architecture, named as Go does.
func compileFor(profile *specs.LinuxSeccomp, goarch string) (*Filter, error) {
	p, err := parse(profile)
	if err != nil {
		return nil, fmt.Errorf("seccomp: %w", err)
	}
	program, err := p.assemble(goarch)
	if err != nil {
		return nil, fmt.Errorf("seccomp: %w", err)
	}
	return &Filter{
		Program: encode(program), Flags: p.flags, Notify: p.notify, Unknown: p.unknown,
	}, nil
}

// encode writes instructions as the kernel reads them; both architectures have the
// low byte first.
func encode(program []unix.SockFilter) []byte {
	text := make([]byte, 0, len(program)*instructionSize)
	for _, in := range program {
		text = binary.LittleEndian.AppendUint16(text, in.Code)
		text = append(text, in.Jt, in.Jf)
		text = binary.LittleEndian.AppendUint32(text, in.K)
	}
	return text
}
