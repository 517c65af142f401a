//go:build linux

package seccomp

import (
	"fmt"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// The fields of struct seccomp_data: linux/seccomp.h. Arguments have 64 bits, of which
// the machine compares 32 at a time.
const (
	dataNumber = 0
	dataArch   = 4
	dataArgs   = 16
)

// longestJump is how far a comparison can jump, less what two jumps in between take.
const longestJump = 255 - 2

// assembler writes a program from its end to its beginning, because jumps go forward:
// so where a jump leads is always known. A label is the place of an instruction
// counted from the end.
type assembler struct {
	code    []unix.SockFilter // the last instruction first
	returns map[uint32]int    // where an action was last returned
	blocks  []block
}

// block is a written answer with conditions.
type block struct {
	answer answer
	label  int
}

// assemble is the whole program.
//
//	ld arch
//	jeq x86-64 → its tree, i386 → its tree
//	ret kill
func (p *profile) assemble(goarch string) ([]unix.SockFilter, error) {
	known := machines(goarch)
	if known == nil {
		return nil, fmt.Errorf("no table of system calls for %s", goarch)
	}
	a := assembler{returns: map[uint32]int{}}
	trees := map[uint32]int{}
	for i, m := range known {
		if archs := p.wanted(m, i == 0); len(archs) > 0 {
			trees[m.audit] = a.load(dataNumber, a.tree(p.answersOf(archs).spans(archs)))
		}
	}
	entry := a.ret(unix.SECCOMP_RET_KILL_PROCESS)
	for _, m := range slices.Backward(known) {
		if tree, ok := trees[m.audit]; ok {
			entry = a.jump(unix.BPF_JEQ, m.audit, tree, entry)
		}
	}
	a.load(dataArch, entry)
	if len(a.code) > unix.BPF_MAXINSNS {
		return nil, fmt.Errorf("the filter has %d instructions, the kernel takes %d",
			len(a.code), unix.BPF_MAXINSNS)
	}
	slices.Reverse(a.code)
	return a.code, nil
}

// wanted are the architectures of a machine that the profile names, the kernel's own
// one in any case.
func (p *profile) wanted(m machine, own bool) []specs.Arch {
	var list []specs.Arch
	for i, arch := range m.archs {
		if own && i == 0 || slices.Contains(p.archs, arch) {
			list = append(list, arch)
		}
	}
	return list
}

// tree searches the span that a number, which is loaded, lies in.
func (a *assembler) tree(spans []span) int {
	if len(spans) == 1 {
		return a.answer(spans[0].answer)
	}
	middle := len(spans) / 2
	above := a.tree(spans[middle:])
	below := a.tree(spans[:middle])
	return a.jump(unix.BPF_JGE, spans[middle].first, above, below)
}

// answer tries the clauses in their order. It may spoil the loaded number.
func (a *assembler) answer(given answer) int {
	if len(given.clauses) == 0 {
		return a.ret(given.otherwise)
	}
	for _, b := range a.blocks {
		if b.answer.equal(given) {
			return b.label
		}
	}
	next := a.ret(given.otherwise)
	for _, c := range slices.Backward(given.clauses) {
		yes := a.ret(c.action)
		for _, condition := range slices.Backward(c.conditions) {
			yes = a.compare(condition, c.narrow, yes, next)
		}
		next = yes
	}
	a.blocks = append(a.blocks, block{given, next})
	return next
}

// compare tests one argument: the upper half and, where that does not decide, the
// lower one. Calls of 32-bit programs have no upper half.
func (a *assembler) compare(c condition, narrow bool, yes, no int) int {
	opposites := []specs.LinuxSeccompOperator{
		specs.OpNotEqual, specs.OpLessThan, specs.OpLessEqual,
	}
	if slices.Contains(opposites, c.op) { // of ==, >= and >, which the machine has
		yes, no = no, yes
	}
	low, high := dataArgs+8*c.index, dataArgs+8*c.index+4
	lower, upper := uint32(c.value), uint32(c.value>>32)
	var label int
	switch c.op {
	case specs.OpMaskedEqual:
		label = a.masked(low, uint32(c.mask), lower, yes, no)
		if !narrow && c.mask>>32 != 0 {
			label = a.masked(high, uint32(c.mask>>32), upper, label, no)
		}
		return label
	case specs.OpEqualTo, specs.OpNotEqual:
		label = a.load(low, a.jump(unix.BPF_JEQ, lower, yes, no))
		if !narrow {
			label = a.load(high, a.jump(unix.BPF_JEQ, upper, label, no))
		}
		return label
	case specs.OpGreaterThan, specs.OpLessEqual:
		label = a.load(low, a.jump(unix.BPF_JGT, lower, yes, no))
	default:
		label = a.load(low, a.jump(unix.BPF_JGE, lower, yes, no))
	}
	if !narrow {
		same := a.jump(unix.BPF_JEQ, upper, label, no)
		label = a.load(high, a.jump(unix.BPF_JGT, upper, yes, same))
	}
	return label
}

// masked compares some bits of half an argument.
func (a *assembler) masked(field, mask, value uint32, yes, no int) int {
	next := a.jump(unix.BPF_JEQ, value, yes, no)
	next = a.emit(unix.SockFilter{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: mask}, next)
	return a.load(field, next)
}

// load loads a field of struct seccomp_data.
func (a *assembler) load(field uint32, next int) int {
	return a.emit(unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: field}, next)
}

// ret ends the program with an action.
func (a *assembler) ret(action uint32) int {
	if label, ok := a.returns[action]; ok && a.distance(label) <= longestJump {
		return label
	}
	a.returns[action] = a.push(unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: action})
	return a.returns[action]
}

// jump compares what is loaded.
func (a *assembler) jump(comparison uint16, k uint32, yes, no int) int {
	yes, no = a.near(yes), a.near(no)
	return a.push(unix.SockFilter{
		Code: unix.BPF_JMP | comparison | unix.BPF_K, K: k,
		Jt: uint8(a.distance(yes)), Jf: uint8(a.distance(no)),
	})
}

// near returns a label within reach that comes to the same: of a copy of what stands
// there if that ends the program, or else of a jump, which reaches any distance.
func (a *assembler) near(label int) int {
	if a.distance(label) <= longestJump {
		return label
	}
	if target := a.code[label]; target.Code == unix.BPF_RET|unix.BPF_K {
		return a.ret(target.K)
	}
	return a.always(label)
}

// always jumps to a label.
func (a *assembler) always(label int) int {
	k := uint32(a.distance(label))
	return a.push(unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JA, K: k})
}

// emit writes an instruction after which the program goes on at a label.
func (a *assembler) emit(in unix.SockFilter, next int) int {
	if a.distance(next) != 0 {
		a.always(next)
	}
	return a.push(in)
}

// distance is how many instructions lie between the next one written and a label.
func (a *assembler) distance(label int) int { return len(a.code) - label - 1 }

// push writes an instruction in front of all others.
func (a *assembler) push(in unix.SockFilter) int {
	a.code = append(a.code, in)
	return len(a.code) - 1
}
