//go:build linux

package seccomp

import (
	"runtime"
	"slices"
	"testing"

	docker "github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
)

// dockerProfile is the profile of a container without extra capabilities on a new
// kernel, for any machine.
func dockerProfile(t testing.TB, goarch string) *specs.LinuxSeccomp {
	t.Helper()
	whole := docker.DefaultProfile()
	native := map[string]specs.Arch{"amd64": specs.ArchX86_64, "arm64": specs.ArchAARCH64}[goarch]
	p := &specs.LinuxSeccomp{
		DefaultAction: whole.DefaultAction, DefaultErrnoRet: whole.DefaultErrnoRet,
	}
	for _, a := range whole.ArchMap {
		if a.Arch == native {
			p.Architectures = append([]specs.Arch{a.Arch}, a.SubArches...)
		}
	}
	for _, s := range whole.Syscalls {
		in, out := s.Includes, s.Excludes
		without := out != nil && slices.Contains(out.Arches, goarch)
		other := in != nil && in.Arches != nil && !slices.Contains(in.Arches, goarch)
		if !without && !other && (in == nil || len(in.Caps) == 0) {
			p.Syscalls = append(p.Syscalls, s.LinuxSyscall)
		}
	}
	return p
}

// What Docker's own code makes of its profile for this machine is what dockerProfile
// does.
func TestDockerProfileIsDockers(t *testing.T) {
	spec := &specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{}}}
	theirs, err := docker.GetDefaultProfile(spec)
	require.NoError(t, err)
	ours := dockerProfile(t, runtime.GOARCH)
	require.Equal(t, theirs.Architectures, ours.Architectures)
	require.Equal(t, theirs.Syscalls, ours.Syscalls)
}

// Every call of every architecture gets what Docker's profile says.
func TestDockerProfile(t *testing.T) {
	for _, goarch := range []string{"amd64", "arm64"} {
		t.Run(goarch, func(t *testing.T) {
			p := dockerProfile(t, goarch)
			f, err := compileFor(p, goarch)
			require.NoError(t, err)
			r := read(p, goarch)
			for _, audit := range audits[goarch] {
				for number := range uint32(600) {
					compareOne(t, r, f, call{number: number, audit: audit})
				}
				for number := range uint32(600) {
					c := call{number: number | x32Bit, audit: audit}
					compareOne(t, r, f, c)
				}
				for _, number := range []uint32{^uint32(0), 0xf0002, 1000, 1 << 31} {
					compareOne(t, r, f, call{number: number, audit: audit})
				}
				for _, name := range []string{"clone", "personality", "socket", "clone3"} {
					compareArguments(t, r, f, name, audit)
				}
			}
		})
	}
}

// compareArguments tries arguments that the profile's conditions are about.
func compareArguments(t *testing.T, r reading, f *Filter, name string, audit uint32) {
	t.Helper()
	known, ok := find(name)
	require.True(t, ok)
	for _, arch := range r.Architectures {
		for _, number := range known.numbers(arch) {
			for _, first := range []uint64{
				0, 1, 8, 16, 38, 40, 41, 1 << 32, 0x20000, 0x20008, 0x10000000, 0xffffffff,
			} {
				c := call{number: number, audit: audit}
				c.args[0] = first
				compareOne(t, r, f, c)
			}
		}
	}
}

// Names that Docker's profile has for other machines only are the ones left out.
func TestUnknownNames(t *testing.T) {
	f, err := compileFor(dockerProfile(t, "amd64"), "amd64")
	require.NoError(t, err)
	require.Equal(t, []string{"riscv_hwprobe"}, f.Unknown)
	f, err = compileFor(&specs.LinuxSeccomp{
		DefaultAction: specs.ActAllow,
		Syscalls: []specs.LinuxSyscall{
			{Names: []string{"riscv_hwprobe", "mkdir"}, Action: specs.ActErrno},
		},
	}, "amd64")
	require.NoError(t, err)
	require.Equal(t, []string{"riscv_hwprobe"}, f.Unknown)
}
