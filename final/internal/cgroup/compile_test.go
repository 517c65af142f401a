package cgroup

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestCompile reads the cases of testdata/compile. After its name, in a line with #,
// each has the resources and then, for machines of host_test.go, what is written there
// or part of the error:
//
//	# pids without a limit
//	{"pids": {"limit": -1}}
//	-- v1 v2
//	echo "max" > pids.max
//	-- none error
//	needs the cgroup controller pids
func TestCompile(t *testing.T) {
	machines := hosts(t)
	files, err := filepath.Glob("testdata/compile/*.txt")
	require.NoError(t, err)
	require.Len(t, files, 10)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for one := range strings.SplitSeq("\n"+string(text), "\n# ") {
			if one != "" {
				name, _, _ := strings.Cut(one, "\n")
				t.Run(name, func(t *testing.T) { testCase(t, one, machines) })
			}
		}
	}
}

// testCase runs one case, from its name on.
func testCase(t *testing.T, text string, machines map[string]Host) {
	t.Helper()
	parts := strings.Split(strings.TrimSpace(text), "\n-- ")
	require.Greater(t, len(parts), 1, text)
	name, given, _ := strings.Cut(parts[0], "\n")
	r := resources(t, given)
	for _, part := range parts[1:] {
		names, want, _ := strings.Cut(part, "\n")
		names, isError := strings.CutSuffix(names, " error")
		for host := range strings.FieldsSeq(names) {
			h, known := machines[host]
			require.True(t, known, host)
			l, err := Compile(r, h)
			if isError {
				require.ErrorContains(t, err, want, "%s on %s", name, host)
				continue
			}
			require.NoError(t, err, "%s on %s", name, host)
			assert.Equal(t, want, shell(l), "%s on %s", name, host)
			for _, w := range l.Writes {
				assert.Contains(t, l.Needed, w.Controller)
				assert.Contains(t, w.From, "linux.resources.")
			}
		}
	}
}

// resources reads what stands in config.json.
func resources(t *testing.T, text string) *specs.LinuxResources {
	t.Helper()
	var r specs.LinuxResources
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&r), text)
	return &r
}

// shell is what is to be written, one command a line.
func shell(l Limits) string {
	var lines []string
	for _, w := range l.Writes {
		words := []string{w.String()}
		for i := w.Instead; i != nil; i = i.Instead {
			words = append(words, i.String())
		}
		if w.Optional {
			words = append(words, "true")
		}
		lines = append(lines, strings.Join(words, " || "))
	}
	for _, r := range l.Devices {
		verb := "deny "
		if r.Allow {
			verb = "allow "
		}
		lines = append(lines, verb+r.String())
	}
	return strings.Join(lines, "\n")
}

// The curve goes through the three pairs that matter, and never falls.
func TestWeight(t *testing.T) {
	for shares, want := range map[uint64]uint64{
		0: 1, 2: 1, 1024: 100, 262144: 10000, 1 << 40: 10000,
	} {
		assert.Equal(t, want, weightOf(shares), "%d shares", shares)
	}
	last := uint64(0)
	for shares := uint64(1); shares < 300000; shares += 97 {
		weight := weightOf(shares)
		require.GreaterOrEqual(t, weight, max(last, 1), "%d shares", shares)
		require.LessOrEqual(t, weight, uint64(10000), "%d shares", shares)
		last = weight
	}
}

// FuzzCompile: no text makes Compile panic, write out of the cgroup, or more than one
// line at a time.
func FuzzCompile(f *testing.F) {
	f.Add(`{"memory":{"limit":1,"swap":2},"unified":{"memory.high":"1\n2"}}`)
	f.Add(`{"devices":[{"allow":true,"type":"c","major":1}],"hugepageLimits":[{"pageSize":"2MB"}]}`)
	f.Add(`{"blockIO":{"weightDevice":[{"weight":10}]},"rdma":{"a":{"hcaHandles":1}}}`)
	f.Add(`{"cpu":{"cpus":"0","shares":3},"network":{"priorities":[{"name":"a"}]}}`)
	machines := hosts(f)
	f.Fuzz(func(t *testing.T, text string) {
		var r specs.LinuxResources
		if json.Unmarshal([]byte(text), &r) != nil {
			return
		}
		for _, h := range machines {
			l, err := Compile(&r, h)
			if err != nil {
				continue
			}
			for _, w := range l.Writes {
				assert.NotContains(t, w.File, "/")
				assert.NotContains(t, strings.TrimSuffix(w.Value, "\n"), "\n")
				assert.True(t, slices.Contains(l.Needed, w.Controller))
				assert.NotZero(t, h.Version(w.Controller))
			}
		}
	})
}
