package cgroup

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// run is the kernel's part: it does what a program says, and refuses what the verifier
// refuses: jumps back or out, instructions that nothing leads to, no end.
func run(t testing.TB, p []instruction, kind, access, major, minor uint32) bool {
	t.Helper()
	context := map[int16]uint32{0: kind | access<<16, 4: major, 8: minor}
	var r [11]uint64
	for i := 0; ; i++ {
		if i >= len(p) || p[i].jump < 0 {
			require.Fail(t, "the program runs over its end or back", "at %d", i)
		}
		in, dst, src := p[i], p[i].regs&15, p[i].regs>>4
		imm := uint64(int64(in.imm))
		switch in.code {
		case load32:
			r[dst] = uint64(context[in.jump]) // of rContext, the only pointer
		case move:
			r[dst] = imm
		case moveReg:
			r[dst] = r[src]
		case and:
			r[dst] &= imm
		case shiftRight:
			r[dst] >>= imm
		case jumpEqual:
			if r[dst] == imm {
				i += int(in.jump)
			}
		case jumpOther:
			if r[dst] != imm {
				i += int(in.jump)
			}
		case exit:
			return r[rAnswer] == 1
		default:
			require.Fail(t, "unknown instruction", "%#x", in.code)
		}
	}
}

// decide is what the list means: of each kind of access the last rule decides that
// concerns it, and all that is asked for must be allowed.
func decide(rules []Rule, kind, access, major, minor uint32) bool {
	for bit := uint32(1); bit <= 4; bit <<= 1 {
		if access&bit == 0 {
			continue
		}
		allowed := false
		for _, r := range rules {
			concerns := (r.Type == "a" || uint32(typeBits(r.Type)) == kind) &&
				(r.Major == anyNumber || uint32(r.Major) == major) &&
				(r.Minor == anyNumber || uint32(r.Minor) == minor) &&
				uint32(accessBits(r.Access))&bit != 0
			if concerns {
				allowed = r.Allow
			}
		}
		if !allowed {
			return false
		}
	}
	return true
}

// Programs of random rules decide as the rules do, for every question about the few
// numbers that occur in them.
func TestDeviceProgram(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(words ...string) string { return words[random.IntN(len(words))] }
	number := func() int64 { return random.Int64N(4) - 1 }
	for round := range 300 {
		rules := []Rule{{random.IntN(2) == 0, "a", anyNumber, anyNumber, everything}}
		for range random.IntN(8) {
			r := Rule{
				random.IntN(2) == 0, pick("a", "b", "c"), number(), number(),
				pick("r", "w", "m", "rw", "rm", "wm", everything),
			}
			if !r.isAll() { // deviceRules leaves that one at the beginning only
				rules = append(rules, r)
			}
		}
		program := deviceProgram(rules)
		for question := range uint32(2 * 8 * 4 * 4) {
			kind, access := question&1+1, question>>1&7
			major, minor := question>>4&3, question>>6
			if access == 0 {
				continue // nobody asks for nothing
			}
			want := decide(rules, kind, access, major, minor)
			if run(t, program, kind, access, major, minor) != want {
				require.Fail(t, "another decision", "round %d: %v: type %d, access %d, %d:%d",
					round, rules, kind, access, major, minor)
			}
		}
	}
}

func TestRuleString(t *testing.T) {
	assert.Equal(t, "c 136:* rw", Rule{true, "c", 136, anyNumber, "rw"}.String())
	assert.Equal(t, "b *:3 m", fmt.Sprint(Rule{Type: "b", Major: anyNumber, Minor: 3, Access: "m"}))
}
