package main

import (
	"context"
	"os/exec"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lab/internal/program"
)

// programs are mini and its runtime, built once.
var programs = sync.OnceValues(func() (map[string]string, error) {
	return program.Paths(context.Background(), "mini", "minirun")
})

// mini runs mini and returns what it printed on both streams, and its exit status.
func mini(t *testing.T, args ...string) (out string, status int) {
	t.Helper()
	paths, err := programs()
	require.NoError(t, err)
	path := paths["mini"]
	cmd := exec.CommandContext(t.Context(), path, args...)
	text, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		require.NoError(t, err)
	}
	return string(text), cmd.ProcessState.ExitCode()
}

func TestWrongUsageIsOneLineAndAHint(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{
			"an unknown verb",
			[]string{"verson"},
			"mini: usage: there is no verb \"verson\"\nhint: mini version\n",
		},
		{
			"an unknown flag",
			[]string{"version", "--nonsense"},
			"mini: usage: unknown flag: --nonsense\nhint: mini version --help\n",
		},
		{
			"an argument too many",
			[]string{"version", "x"},
			"mini: usage: mini version takes no arguments, not 1\nhint: mini version\n",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, status := mini(t, tt.args...)
			assert.Equal(t, tt.want, out)
			assert.Equal(t, notUsage, status)
		})
	}
}
