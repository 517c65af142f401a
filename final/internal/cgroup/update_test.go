package cgroup

import (
	"encoding/json"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// parsed reads them as they stand in a file.
func parsed(t *testing.T, text string) *specs.LinuxResources {
	t.Helper()
	r := &specs.LinuxResources{}
	require.NoError(t, json.Unmarshal([]byte(text), r))
	return r
}

func TestMerge(t *testing.T) {
	for _, tt := range []struct{ name, old, changes, want string }{
		{"nothing was limited", `null`, `{"pids":{"limit":7}}`, `{"pids":{"limit":7}}`},
		{
			"a period keeps the quota", `{"cpu":{"quota":50000,"period":100000}}`,
			`{"cpu":{"period":200000}}`, `{"cpu":{"quota":50000,"period":200000}}`,
		},
		{
			"0 is none", `{"memory":{"limit":64,"swap":128},"cpu":{"quota":5,"shares":512}}`,
			`{"memory":{"limit":32,"swap":0},"cpu":{"quota":0,"shares":0,"cpus":""}}`,
			`{"memory":{"limit":32,"swap":128},"cpu":{"quota":5,"shares":512}}`,
		},
		{
			"0 is a limit of pids, and idle is 0 or 1", `{"pids":{"limit":9},"cpu":{"idle":1}}`,
			`{"pids":{"limit":0},"cpu":{"idle":0}}`, `{"pids":{"limit":0},"cpu":{"idle":0}}`,
		},
		{
			"a list replaces a list", `{"devices":[{"allow":true,"type":"c","major":1}]}`,
			`{"devices":[{"allow":false}]}`, `{"devices":[{"allow":false}]}`,
		},
		{
			"files of version 2 one by one", `{"unified":{"a.b":"1","c.d":"2"}}`,
			`{"unified":{"c.d":"3"}}`, `{"unified":{"a.b":"1","c.d":"3"}}`,
		},
		{
			"large numbers keep their digits", `{"memory":{"limit":9007199254740993}}`,
			`{"memory":{"swap":9223372036854775807}}`,
			`{"memory":{"limit":9007199254740993,"swap":9223372036854775807}}`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var old *specs.LinuxResources
			if tt.old != "null" {
				old = parsed(t, tt.old)
			}
			merged, err := Merge(old, parsed(t, tt.changes))
			require.NoError(t, err)
			assert.Equal(t, parsed(t, tt.want), merged)
		})
	}
}
