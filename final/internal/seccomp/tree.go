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

// page is what is said on a range of numbers: all calls lie in two or three such ranges.
type page struct {
	first uint32
	slots []slot
}

// slot is what is said on one call.
type slot struct {
	answer
	settled bool // by a rule without conditions
}

// answers are those of the architectures that share an AUDIT_ARCH.
type answers struct {
	*profile
	pages []page // in the order of their numbers
}

const (
	pageSize = 1024    // more than any table has
	firstARM = 0xf0000 // where ARM's own calls lie
)

// answersOf collects what the profile says on calls by their numbers.
func (p *profile) answersOf(archs []specs.Arch) *answers {
	a := &answers{profile: p}
	for _, arch := range archs {
		switch arch {
		case specs.ArchX32:
			a.addPage(x32Bit, pageSize)
		case specs.ArchARM:
			a.addPage(0, pageSize)
			a.addPage(firstARM, 16)
		default:
			a.addPage(0, pageSize)
		}
		for _, r := range p.rules {
			a.addRule(arch, r)
		}
	}
	return a
}

// addPage adds a range of numbers on which nothing is said yet.
func (a *answers) addPage(first uint32, size int) {
	slots := make([]slot, size)
	for i := range slots {
		slots[i].otherwise = a.otherwise
		if uint32(i) > a.newest || first == firstARM {
			slots[i].otherwise = a.forNewer()
		}
	}
	a.pages = append(a.pages, page{first, slots})
}

// addRule adds a rule to what is said on its calls.
func (a *answers) addRule(arch specs.Arch, r rule) {
	for _, call := range r.calls {
		for _, number := range call.numbers(arch) {
			a.add(number, clause{r.conditions, r.action, narrow(arch)})
		}
		if arch == specs.ArchX86 {
			a.addMultiplexed(call.name, r)
		}
	}
}

// add adds a clause to what is said on a call.
func (a *answers) add(number uint32, c clause) {
	for _, p := range a.pages {
		if number-p.first >= uint32(len(p.slots)) {
			continue
		}
		s := &p.slots[number-p.first]
		switch {
		case s.settled:
		case len(c.conditions) == 0:
			*s = slot{answer{otherwise: c.action}, true}
		default:
			s.otherwise = a.otherwise // also of a call above the newest: it is named
			s.clauses = append(s.clauses, c)
		}
	}
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
func (a *answers) spans(archs []specs.Arch) []span {
	var list []span
	add := func(first uint32, given answer) {
		if len(list) == 0 || !list[len(list)-1].answer.equal(given) {
			list = append(list, span{first, given})
		}
	}
	for _, p := range a.pages {
		for i, s := range p.slots {
			add(p.first+uint32(i), s.answer)
		}
		add(p.first+uint32(len(p.slots)), answer{otherwise: a.forNewer()})
	}
	if archs[0] == specs.ArchX86_64 {
		if len(archs) == 1 { // x32 is another architecture, and the profile lacks it
			add(x32Bit, answer{otherwise: unix.SECCOMP_RET_KILL_PROCESS})
		}
		// The largest number is no call at all: a tracer may set it.
		add(^uint32(0), answer{otherwise: a.forNewer()})
	}
	return list
}
