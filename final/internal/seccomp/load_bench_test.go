//go:build linux

package seccomp

import (
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// fourHundred is a profile with 400 rules, as engines have them: most calls are allowed,
// some in between are not.
func fourHundred() *specs.LinuxSeccomp {
	p := &specs.LinuxSeccomp{DefaultAction: specs.ActErrno}
	for i, r := range table {
		if i%9 != 0 && len(p.Syscalls) < 400 {
			p.Syscalls = append(p.Syscalls, specs.LinuxSyscall{
				Names: []string{r.name}, Action: specs.ActAllow,
			})
		}
	}
	return p
}

// chain is the same profile as a list of comparisons, one after the other.
//
//	ld number; jeq 0 → allow; jeq 1 → allow; …
func chain(p *specs.LinuxSeccomp) *Filter {
	audit := machines(runtime.GOARCH)[0].audit
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: dataArch},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: audit, Jt: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_KILL_PROCESS},
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: dataNumber},
	}
	for i, s := range p.Syscalls {
		// Where this machine lacks a call another number stands for it: 400 are 400.
		r, _ := find(s.Names[0])
		number := uint32(2000 + i)
		if own := r.numbers(machines(runtime.GOARCH)[0].archs[0]); len(own) > 0 {
			number = own[0]
		}
		program = append(program,
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: number, Jf: 1},
			unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW})
	}
	program = append(program, unix.SockFilter{
		Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM),
	})
	return &Filter{Program: encode(program)}
}

// BenchmarkLoad loads a profile of 400 rules: as a tree and as a chain. The time is that
// of seccomp(2) alone, each on a thread of its own, for filters add up.
func BenchmarkLoad(b *testing.B) {
	tree, err := Compile(fourHundred())
	if err != nil {
		b.Fatal(err)
	}
	for _, test := range []struct {
		name string
		f    *Filter
	}{{"tree", tree}, {"chain", chain(fourHundred())}} {
		b.Run(test.name, func(b *testing.B) {
			var spent []time.Duration
			for range b.N {
				took := make(chan time.Duration)
				go loadOnce(b, test.f, took)
				spent = append(spent, <-took)
			}
			slices.Sort(spent)
			b.ReportMetric(float64(spent[b.N/2].Nanoseconds())/1000, "µs-median")
			b.ReportMetric(float64(spent[0].Nanoseconds())/1000, "µs-least")
			b.ReportMetric(float64(test.f.Len()), "instructions")
		})
	}
}

// loadOnce loads on a thread that ends with it.
func loadOnce(b *testing.B, f *Filter, took chan<- time.Duration) {
	runtime.LockOSThread() // for good: the thread ends with the goroutine
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		b.Error(err)
	}
	begin := time.Now()
	if err := f.Load(nil); err != nil {
		b.Error(err)
	}
	took <- time.Since(begin)
}

// BenchmarkCompile is what a create pays for a profile before there is a container.
func BenchmarkCompile(b *testing.B) {
	p := fourHundred()
	for range b.N {
		if _, err := Compile(p); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCompileDocker is the same for Docker's profile, on three architectures.
func BenchmarkCompileDocker(b *testing.B) {
	p := dockerProfile(b, runtime.GOARCH)
	for range b.N {
		if _, err := Compile(p); err != nil {
			b.Fatal(err)
		}
	}
}
