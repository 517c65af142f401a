//go:build linux

package cgroup

import (
	"path/filepath"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"lab/internal/need"
)

// The kernel log, 1:11, is no device that every container has.
func logDevice(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kmsg")
	require.NoError(t, unix.Mknod(path, unix.S_IFCHR|0o600, int(unix.Mkdev(1, 11))))
	return path
}

func list(access string) []specs.LinuxDeviceCgroup {
	devices := []specs.LinuxDeviceCgroup{{Access: "rwm"}}
	if access != "" {
		devices = append(devices, specs.LinuxDeviceCgroup{
			Allow: true, Type: "c", Major: new(int64(1)), Minor: new(int64(11)), Access: access,
		})
	}
	return devices
}

// What is not on the list cannot be opened, by the version of cgroups that this
// machine has it on.
func TestDevices(t *testing.T) {
	need.RealRoot(t)
	need.Sandbox(t)
	path := logDevice(t)
	for access, want := range map[string]string{
		"": "operation not permitted", "w": "operation not permitted", "r": "done", "rw": "done",
	} {
		c := limited(t, &specs.LinuxResources{Devices: list(access)})
		p := born(t, c)
		assert.Contains(t, p.do("open "+path), want, "allowed: %q", access)
		assert.Equal(t, "done", p.do("open /dev/null"))
		assert.Equal(t, "done", p.do("open /dev/urandom"))
	}
}

// The program of version 2 does it also beside a list of version 1, and can be
// changed while the container runs: then there is one program, not two.
func TestFilter(t *testing.T) {
	need.RealRoot(t)
	need.Sandbox(t)
	h, err := ReadHost()
	require.NoError(t, err)
	if h.Version("cgroup") == 0 {
		need.CgroupV2(t)
	}
	request, err := h.Request("/"+name(t), "", Limits{})
	require.NoError(t, err)
	request.Needed, request.Wished = []string{"cgroup"}, nil
	c, err := Make(h, request)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Remove()) })
	path := logDevice(t)
	const denied = "operation not permitted"
	p := born(t, c)
	for _, step := range []struct{ access, want string }{
		{"", denied}, {"r", "done"}, {"wm", denied}, {"rwm", "done"}, {"", denied},
	} {
		rules, err := deviceRules(list(step.access))
		require.NoError(t, err)
		require.NoError(t, c.Filter(rules))
		assert.Contains(t, p.do("open "+path), step.want, "allowed: %q", step.access)
		assert.Equal(t, "done", p.do("open /dev/null"))

		dir, err := unix.Open(c.Places[0].Dir, unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		require.NoError(t, err)
		programs, err := attachedPrograms(dir)
		require.NoError(t, err)
		assert.Len(t, programs, 1)
		require.NoError(t, unix.Close(dir))
	}
}
