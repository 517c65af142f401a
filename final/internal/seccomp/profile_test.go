//go:build linux

package seccomp

import (
	"encoding/json"
	"runtime"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
)

// wrongProfiles are profiles with what is wrong with them.
var wrongProfiles = []struct{ name, given, want string }{
	{
		"no action", `{}`,
		`defaultAction: action "" is none`,
	},
	{
		"an unknown action", `{"defaultAction":"SCMP_ACT_MAYBE"}`,
		`defaultAction: action "SCMP_ACT_MAYBE" is none`,
	},
	{
		"an errno where there is none",
		`{"defaultAction":"SCMP_ACT_ALLOW","defaultErrnoRet":1}`,
		`defaultAction: SCMP_ACT_ALLOW returns no errno: errnoRet 1 means nothing`,
	},
	{
		"an errno that is none", `{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":4096}`,
		`defaultAction: errnoRet 4096 is above 4095`,
	},
	{
		"an unknown architecture",
		`{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_Z80"]}`,
		`architecture "SCMP_ARCH_Z80" is none`,
	},
	{
		"a rule on nothing",
		`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"action":"SCMP_ACT_ERRNO"}]}`,
		`syscalls[0]: no names`,
	},
	{
		"a seventh argument", `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],
		"action":"SCMP_ACT_ERRNO","args":[{"index":6,"value":1,"op":"SCMP_CMP_EQ"}]}]}`,
		`syscalls[0]: args: index 6, but a call has 6 arguments`,
	},
	{
		"an unknown comparison", `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{
		"names":["read"],"action":"SCMP_ACT_ERRNO","args":[{"index":0,"value":1,"op":"=="}]}]}`,
		`syscalls[0]: args: op "==" is none`,
	},
	{
		"an unknown flag", `{"defaultAction":"SCMP_ACT_ALLOW","flags":["FAST"]}`,
		`flag "FAST" is none`,
	},
	{
		"a flag for agents without one", `{"defaultAction":"SCMP_ACT_ALLOW",
		"flags":["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]}`,
		`SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV without SCMP_ACT_NOTIFY`,
	},
	{
		"notifying by default", `{"defaultAction":"SCMP_ACT_NOTIFY","listenerPath":"/s"}`,
		`defaultAction SCMP_ACT_NOTIFY: nobody could load the filter`,
	},
	{
		"notifying nobody", `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir"],
		"action":"SCMP_ACT_NOTIFY"}]}`,
		`SCMP_ACT_NOTIFY without a listenerPath`,
	},
	{
		"metadata for nobody", `{"defaultAction":"SCMP_ACT_ALLOW","listenerMetadata":"x"}`,
		`listenerMetadata without a listenerPath`,
	},
}

// What is wrong with a profile is said in words; the specification's section is
// "Seccomp" of config-linux.md.
func TestWrongProfiles(t *testing.T) {
	for _, test := range wrongProfiles {
		t.Run(test.name, func(t *testing.T) {
			var given specs.LinuxSeccomp
			require.NoError(t, json.Unmarshal([]byte(test.given), &given))
			_, err := Compile(&given)
			require.EqualError(t, err, "seccomp: "+test.want)
		})
	}
}

// A filter travels as JSON, and arrives whole.
func TestFilterTravels(t *testing.T) {
	given := dockerProfile(t, "amd64")
	given.Flags = []specs.LinuxSeccompFlag{specs.LinuxSeccompFlagLog}
	f, err := compileFor(given, "amd64")
	require.NoError(t, err)
	text, err := json.Marshal(f)
	require.NoError(t, err)
	var arrived Filter
	require.NoError(t, json.Unmarshal(text, &arrived))
	arrived.Unknown = f.Unknown
	require.Equal(t, *f, arrived)
	require.Less(t, len(text), 6000)
}

// Where the specification is silent, a rule without conditions goes before those with.
func TestUnconditionalRulesGoFirst(t *testing.T) {
	given := only(specs.ActErrno, specs.LinuxSeccompArg{Op: specs.OpEqualTo, Value: 1})
	given.Syscalls = append(given.Syscalls, specs.LinuxSyscall{
		Names: []string{"sched_yield"}, Action: specs.ActLog,
	})
	f, err := compileFor(given, "amd64")
	require.NoError(t, err)
	c := call{number: 24, audit: audits["amd64"][0]}
	c.args[0] = 1
	got, _, err := f.interpret(c)
	require.NoError(t, err)
	require.Equal(t, value(specs.ActLog, nil), got)
}

// What minirun's features list is what a profile may have.
func TestFeatures(t *testing.T) {
	require.Len(t, Actions(), 9)
	require.Len(t, Operators(), 7)
	native := map[string]string{"amd64": "SCMP_ARCH_X86_64", "arm64": "SCMP_ARCH_AARCH64"}
	require.Equal(t, native[runtime.GOARCH], Architectures()[0])
	known, supported := Flags()
	require.Len(t, known, 4)
	require.Subset(t, supported, known[:3], "all kernels since 4.17 know these")
	for _, name := range known {
		given := only(specs.ActNotify)
		given.ListenerPath = "/s"
		given.Flags = []specs.LinuxSeccompFlag{specs.LinuxSeccompFlag(name)}
		_, err := Compile(given)
		require.NoError(t, err)
	}
}
