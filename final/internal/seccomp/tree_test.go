//go:build linux

package seccomp

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

var audits = map[string][]uint32{
	"amd64": {unix.AUDIT_ARCH_X86_64, unix.AUDIT_ARCH_I386, unix.AUDIT_ARCH_S390X},
	"arm64": {unix.AUDIT_ARCH_AARCH64, unix.AUDIT_ARCH_ARM, unix.AUDIT_ARCH_X86_64},
}

// A random profile and random calls: the tree answers as the profile read from top to
// bottom does.
func FuzzTreeAnswersAsTheProfile(f *testing.F) {
	for seed := range uint64(200) {
		f.Add(seed, seed%2 == 0)
	}
	f.Fuzz(func(t *testing.T, seed uint64, onARM bool) {
		goarch := "amd64"
		if onARM {
			goarch = "arm64"
		}
		random := rand.New(rand.NewPCG(seed, 1))
		profile := randomProfile(random)
		filter, err := compileFor(profile, goarch)
		if err != nil {
			require.ErrorContains(t, err, "instructions")
			return
		}
		reading := read(profile, goarch)
		for range 200 {
			compareOne(t, reading, filter, randomCall(random, profile, goarch))
		}
	})
}

func compareOne(t *testing.T, r reading, f *Filter, c call) {
	t.Helper()
	got, _, err := f.interpret(c)
	if want := r.verdict(c); err != nil || got != want {
		require.NoErrorf(t, err, "%s: call %+v of %+v", r.goarch, c, r.LinuxSeccomp)
		require.Equalf(t, want, got, "%s: call %+v of %+v", r.goarch, c, r.LinuxSeccomp)
	}
}

// randomProfile has few or many rules on many or few calls.
func randomProfile(random *rand.Rand) *specs.LinuxSeccomp {
	pick := func(n int) int { return random.IntN(n) }
	// Calls inside of socketcall(2) and ipc(2) are tested apart.
	var names []string
	for len(names) < 1+pick(1+pick(400)) {
		name := table[pick(len(table))].name
		if !isMultiplexed(name) {
			names = append(names, name)
		}
	}
	p := &specs.LinuxSeccomp{DefaultAction: actions[pick(len(actions)-1)].name, ListenerPath: "/x"}
	for _, arch := range architectures[:5] {
		if pick(2) == 0 {
			p.Architectures = append(p.Architectures, arch)
		}
	}
	for range 1 + pick(1+pick(120)) {
		s := specs.LinuxSyscall{Action: actions[pick(len(actions))].name}
		if pick(4) == 0 && (s.Action == specs.ActErrno || s.Action == specs.ActTrace) {
			errno := uint(pick(200))
			s.ErrnoRet = &errno
		}
		for range 1 + pick(4) {
			s.Names = append(s.Names, names[pick(len(names))])
		}
		for range pick(4) * pick(2) {
			s.Args = append(s.Args, specs.LinuxSeccompArg{
				Index: uint(pick(maxArgs)), Op: operators[pick(len(operators))],
				Value: randomValue(random), ValueTwo: randomValue(random),
			})
		}
		p.Syscalls = append(p.Syscalls, s)
	}
	return p
}

// randomValue is one of few, so that comparisons often hold, at the edges of 32 bits.
func randomValue(random *rand.Rand) uint64 {
	halves := []uint64{0, 1, 2, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff}
	high, low := halves[random.IntN(len(halves))], halves[random.IntN(len(halves))]
	return high<<32*uint64(random.IntN(2)) | low
}

// randomCall is often one that the profile names, or the number beside it.
func randomCall(random *rand.Rand, p *specs.LinuxSeccomp, goarch string) call {
	c := call{audit: audits[goarch][random.IntN(3)]}
	s := p.Syscalls[random.IntN(len(p.Syscalls))]
	r, _ := find(s.Names[random.IntN(len(s.Names))])
	var known []uint32
	for _, arch := range architectures[:5] {
		known = append(known, r.numbers(arch)...)
	}
	known = append(known, 0, 423, 424, 450, 600, 1000, x32Bit, x32Bit|59, x32Bit|520,
		x32Bit|470, ^uint32(0), ^uint32(1), 0xf0002)
	c.number = known[random.IntN(len(known))] + uint32(random.IntN(3)) - 1
	for i := range c.args {
		c.args[i] = randomValue(random)
	}
	for _, arg := range s.Args {
		if random.IntN(2) == 0 {
			c.args[arg.Index] = arg.Value + uint64(random.IntN(3)) - 1
		}
	}
	if c.audit == unix.AUDIT_ARCH_I386 || c.audit == unix.AUDIT_ARCH_ARM {
		for i := range c.args {
			c.args[i] &= 1<<32 - 1
		}
	}
	return c
}

func isMultiplexed(name string) bool {
	for _, m := range multiplexed {
		if m.inner == name || m.outer == name {
			return true
		}
	}
	return false
}

// Every rule on a call of its own, with the conditions that take most room, still fits;
// what does not fit is refused in words.
func TestManyConditions(t *testing.T) {
	profile := func(rules int) *specs.LinuxSeccomp {
		p := &specs.LinuxSeccomp{DefaultAction: specs.ActErrno}
		for i := range rules {
			p.Syscalls = append(p.Syscalls, specs.LinuxSyscall{
				Names: []string{table[i%300].name}, Action: specs.ActAllow,
				Args: []specs.LinuxSeccompArg{
					{Index: uint(i % 6), Op: specs.OpLessThan, Value: uint64(i) << 31},
					{
						Index: uint((i + 1) % 6), Op: specs.OpMaskedEqual,
						Value: 1<<40 | 1, ValueTwo: 1,
					},
				},
			})
		}
		return p
	}
	p := profile(300)
	f, err := compileFor(p, "amd64")
	require.NoError(t, err)
	reading, random := read(p, "amd64"), rand.New(rand.NewPCG(7, 7))
	for range 3000 {
		compareOne(t, reading, f, randomCall(random, p, "amd64"))
	}
	_, err = compileFor(profile(1200), "amd64")
	require.ErrorContains(t, err, "instructions, the kernel takes 4096")
}

// The tree is shallow: no call takes longer than a few comparisons.
func TestTreeIsShallow(t *testing.T) {
	for _, goarch := range []string{"amd64", "arm64"} {
		p := dockerProfile(t, goarch)
		f, err := compileFor(p, goarch)
		require.NoError(t, err)
		longest := 0
		for number := range uint32(600) {
			_, steps, err := f.interpret(call{number: number, audit: audits[goarch][0]})
			require.NoError(t, err)
			longest = max(longest, steps)
		}
		t.Logf("%s: %d instructions, at most %d of them for a call", goarch, f.Len(), longest)
		require.Less(t, longest, 30)
	}
}

func TestTableIsSorted(t *testing.T) {
	for i := 1; i < len(table); i++ {
		require.Negative(t, strings.Compare(table[i-1].name, table[i].name))
	}
}
