package cgroup

// A program of eBPF: 8 bytes an instruction, eleven registers, jumps only forward.
// See the kernel's Documentation/bpf/standardization/instruction-set.rst.
type instruction struct {
	code byte
	regs byte // the low half is the destination, the high half the source
	jump int16
	imm  int32
}

// The few instructions that it takes, by their mnemonics in bpftool(8).
const (
	load32     = 0x61 // r = *(u32 *)(s + off)
	move       = 0xb7 // r = imm
	moveReg    = 0xbf // r = s
	and        = 0x57 // r &= imm
	shiftRight = 0x77 // r >>= imm
	jumpEqual  = 0x15 // if r == imm goto +off
	jumpOther  = 0x55 // if r != imm goto +off
	exit       = 0x95
)

// The registers in use. r1 holds the context at the beginning, r0 the answer at the
// end: 1 to allow.
const (
	rAnswer = iota
	rContext
	rType
	rAccess // what of the access is not decided yet
	rMajor
	rMinor
	rScratch
)

// deviceProgram is the program that decides as the rules do. It goes through them
// from the last to the first, which decides about all that is left. The kernel asks
// with this (struct bpf_cgroup_dev_ctx in linux/bpf.h):
//
//	u32 access_type   the type in the low half, the access in the high half
//	u32 major
//	u32 minor
func deviceProgram(rules []Rule) []instruction {
	p := []instruction{
		{code: load32, regs: rContext<<4 | rType},
		{code: moveReg, regs: rType<<4 | rAccess},
		{code: and, regs: rType, imm: 0xffff},
		{code: shiftRight, regs: rAccess, imm: 16},
		{code: load32, regs: rContext<<4 | rMajor, jump: 4},
		{code: load32, regs: rContext<<4 | rMinor, jump: 8},
	}
	for i := len(rules) - 1; i > 0; i-- {
		p = append(p, rules[i].program()...)
	}
	return append(p, answer(rules[0].Allow)...)
}

// program decides one rule, and goes on after its last instruction where it does not
// apply. Access is asked for in bits: what a rule allows is taken off, and when
// nothing is left, all is allowed.
func (r Rule) program() []instruction {
	var p []instruction
	if r.Type != "a" {
		p = append(p, instruction{code: jumpOther, regs: rType, imm: typeBits(r.Type)})
	}
	if r.Major != anyNumber {
		p = append(p, instruction{code: jumpOther, regs: rMajor, imm: int32(r.Major)})
	}
	if r.Minor != anyNumber {
		p = append(p, instruction{code: jumpOther, regs: rMinor, imm: int32(r.Minor)})
	}
	if r.Allow {
		p = append(p,
			instruction{code: and, regs: rAccess, imm: ^accessBits(r.Access)},
			instruction{code: jumpOther, regs: rAccess})
	} else {
		p = append(p,
			instruction{code: moveReg, regs: rAccess<<4 | rScratch},
			instruction{code: and, regs: rScratch, imm: accessBits(r.Access)},
			instruction{code: jumpEqual, regs: rScratch})
	}
	p = append(p, answer(r.Allow)...)
	for i := range p {
		if p[i].code == jumpOther || p[i].code == jumpEqual {
			p[i].jump = int16(len(p) - i - 1) // past the end
		}
	}
	return p
}

// answer ends the program.
func answer(allow bool) []instruction {
	a := instruction{code: move, regs: rAnswer}
	if allow {
		a.imm = 1
	}
	return []instruction{a, {code: exit}}
}

// typeBits is BPF_DEVCG_DEV_BLOCK or BPF_DEVCG_DEV_CHAR.
func typeBits(kind string) int32 {
	if kind == "b" {
		return 1
	}
	return 2
}

// accessBits joins BPF_DEVCG_ACC_MKNOD, _READ and _WRITE.
func accessBits(access string) int32 {
	var bits int32
	for _, kind := range access {
		switch kind {
		case 'm':
			bits |= 1
		case 'r':
			bits |= 2
		case 'w':
			bits |= 4
		}
	}
	return bits
}
