//go:build linux

package seccomp

import (
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// answer is what happens at a call: the first clause that holds, or else the action.
type answer struct {
	clauses   []clause
	otherwise uint32
}

// clause is an action and its conditions, all of which must hold.
type clause struct {
	conditions []condition
	action     uint32
	narrow     bool // arguments have 32 bits
}

// equal reports whether two answers are the same.
func (a answer) equal(b answer) bool {
	return a.otherwise == b.otherwise && slices.EqualFunc(a.clauses, b.clauses, clause.equal)
}

func (c clause) equal(d clause) bool {
	return c.action == d.action && c.narrow == d.narrow &&
		slices.Equal(c.conditions, d.conditions)
}

// answers are those of the architectures that share an AUDIT_ARCH.
type answers struct {
	*profile
	archs   []specs.Arch
	calls   map[uint32]answer
	settled map[uint32]bool // by a rule without conditions
}

// answersOf collects what the profile says on calls by their numbers.
func (p *profile) answersOf(archs []specs.Arch) *answers {
	a := &answers{p, archs, map[uint32]answer{}, map[uint32]bool{}}
	for _, arch := range archs {
		for _, r := range p.rules {
			for _, call := range r.calls {
				for _, number := range call.numbers(arch) {
					a.add(number, clause{r.conditions, r.action, narrow(arch)})
				}
				if arch == specs.ArchX86 {
					a.addMultiplexed(call.name, r)
				}
			}
		}
	}
	return a
}

// add adds a clause to what is said on a call.
func (a *answers) add(number uint32, c clause) {
	if a.settled[number] {
		return
	}
	if len(c.conditions) == 0 {
		a.calls[number], a.settled[number] = answer{otherwise: c.action}, true
		return
	}
	known, ok := a.calls[number]
	if !ok {
		known.otherwise = a.otherwise
	}
	known.clauses = append(known.clauses, c)
	a.calls[number] = known
}

// addMultiplexed adds a rule on a call that x86 can also make inside of another. Its
// own arguments lie in memory there, out of a filter's sight: conditions on them count
// as fulfilled if the rule forbids something, and as not if it allows something.
func (a *answers) addMultiplexed(name string, r rule) {
	stricter := int32(r.action) < int32(a.otherwise) // as the kernel orders actions
	if len(r.conditions) > 0 && !stricter {
		return
	}
	for _, m := range multiplexed {
		if m.inner != name {
			continue
		}
		outer, _ := find(m.outer)
		which := condition{op: specs.OpMaskedEqual, mask: m.mask, value: m.number}
		a.add(uint32(outer.x86), clause{[]condition{which}, r.action, true})
	}
}

// at is the answer for a number.
//
//	0 to newest          what the profile says, or its default
//	to 0x3fffffff        newer calls
//	0x40000000 to …fffe  x32, or another architecture if the profile lacks it
//	0xffffffff           no call at all, as a tracer may set it
func (a *answers) at(number uint32) answer {
	known, ok := a.calls[number]
	isX32 := a.archs[0] == specs.ArchX86_64 && number&x32Bit != 0 && number != ^uint32(0)
	switch {
	case ok:
		return known
	case isX32 && len(a.archs) == 1:
		return answer{otherwise: unix.SECCOMP_RET_KILL_PROCESS}
	case isX32 && number&^x32Bit <= a.newest, number <= a.newest:
		return answer{otherwise: a.otherwise}
	}
	return answer{otherwise: a.forNewer()}
}

// forNewer is the action for calls that are newer than the profile: one that refuses
// calls with an errno refuses those with ENOSYS.
func (p *profile) forNewer() uint32 {
	if p.otherwise&unix.SECCOMP_RET_ACTION_FULL == unix.SECCOMP_RET_ERRNO {
		return unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
	}
	return p.otherwise
}

// span is a range of numbers with one answer; it ends where the next begins.
type span struct {
	first  uint32
	answer answer
}

// spans cuts all numbers into ranges.
//
//	0 allow, 101 refuse, 102 allow, …, 472 ENOSYS, 0x40000000 kill, 0xffffffff ENOSYS
func (a *answers) spans() []span {
	points := []uint32{0, a.newest + 1, x32Bit, x32Bit + a.newest + 1, ^uint32(0)}
	for number := range a.calls {
		points = append(points, number, number+1)
	}
	slices.Sort(points)
	var list []span
	for _, first := range slices.Compact(points) {
		list = append(list, span{first, a.at(first)})
	}
	return slices.CompactFunc(list, func(x, y span) bool { return x.answer.equal(y.answer) })
}
