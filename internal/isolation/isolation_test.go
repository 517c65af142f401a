//go:build linux

package isolation

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lab/internal/cgroupview"
	"lab/internal/inspect"
	"lab/internal/screen"
)

func TestWords(t *testing.T) {
	const last = 40
	all := inspect.All(last)
	for want, set := range map[string]inspect.Capabilities{
		"none":                          0,
		"all 41":                        all,
		"40: all but sys_resource":      all &^ (1 << 24),
		"2: chown kill":                 1<<0 | 1<<5,
		"1: checkpoint_restore":         1 << 40,
		"39: all but chown sys_admin":   all &^ (1<<0 | 1<<21),
		"2: net_bind_service sys_admin": 1<<10 | 1<<21,
	} {
		assert.Equal(t, want, Words(set, last))
	}
	assert.Equal(t, "1: cap_50", Words(1<<50, 50), "younger than this program")
}

func TestMapped(t *testing.T) {
	tests := []struct {
		name, value string
		maps        []inspect.Mapping
	}{
		{"the first namespace", "all", []inspect.Mapping{{Size: 4294967295}}},
		{"one id", "0=1000", []inspect.Mapping{{Outside: 1000, Size: 1}}},
		{"a range", "0-9=1000-1009", []inspect.Mapping{{Outside: 1000, Size: 10}}},
		{"none yet", "empty", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			value, meaning := mapped("uid", tt.maps)
			assert.Equal(t, tt.value, value)
			assert.NotEmpty(t, meaning)
		})
	}
	maps := []inspect.Mapping{{Outside: 1000, Size: 1}, {Inside: 1, Outside: 100000, Size: 10}}
	assert.Equal(t, "0", within(maps, 1000))
	assert.Equal(t, "3", within(maps, 100002))
	assert.Equal(t, "none", within(maps, 5))
}

// Where a process's own cgroup has no limit, the nearest around it counts.
func TestLimitOfAnAncestor(t *testing.T) {
	top := t.TempDir()
	inner := filepath.Join(top, "slice", "box")
	require.NoError(t, os.MkdirAll(inner, 0o755))
	write := func(dir, name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	write(filepath.Dir(inner), "memory.max", "1048576\n")
	write(inner, "memory.max", "max\n")
	write(inner, "memory.current", "4096\n")
	write(inner, "cpu.max", "max 100000\n")
	c := cgroupview.Cgroup{Membership: inspect.Membership{
		Path: "/slice/box", Dir: inner, Mount: top,
	}}
	r := &reader{page: &Page{}, section: "cgroups"}
	for _, l := range limits {
		r.limit([]cgroupview.Cgroup{c}, l)
	}
	require.Len(t, r.page.Lines, 2)
	assert.Equal(t, Line{
		"cgroups", "memory limit", Isolated, "1 MiB",
		"the limit of a cgroup around its own; 4 KiB in use",
		filepath.Join(top, "slice", "memory.max"),
	}, r.page.Lines[0])
	assert.Equal(t, "no limit", r.page.Lines[1].Value)
	assert.Equal(t, Shared, r.page.Lines[1].Verdict)
}

// A process that ends while it is looked at is an error that says so, whenever it
// ends, and never half a page.
func TestEndsMeanwhile(t *testing.T) {
	const moments = 10
	for range moments {
		cmd := exec.CommandContext(t.Context(), "true")
		require.NoError(t, cmd.Start())
		pid, done := cmd.Process.Pid, make(chan error)
		go func() { done <- cmd.Wait() }()
		for {
			page, err := Of(pid)
			if err != nil {
				require.ErrorIs(t, err, inspect.ErrEnded)
				break
			}
			page.Print(screen.Screen{Writer: io.Discard, Width: 80})
			for _, line := range page.Lines {
				require.NotContains(t, line.Meaning, "not there", line.Item)
			}
		}
		require.NoError(t, <-done)
	}
}
