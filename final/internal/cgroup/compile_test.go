package cgroup

import (
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
)

func TestCompileNothing(t *testing.T) {
	for _, r := range []*specs.LinuxResources{nil, {}, {Memory: &specs.LinuxMemory{}}} {
		l, err := Compile(r, Host{})
		require.NoError(t, err)
		require.Empty(t, l)
	}
}
