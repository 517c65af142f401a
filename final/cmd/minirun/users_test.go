package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"lab/internal/need"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// others has the container make a user namespace whose ids, from one on, are others', and
// gives them an image of their own.
func (e *engine) others(first uint32, image string) {
	e.t.Helper()
	copyRoot(e.t, e.config.Root.Path, image)
	e.config.Root.Path = image
	owner := fmt.Sprintf("%[1]d:%[1]d", 100000+first)
	out, err := exec.CommandContext(e.t.Context(), "chown", "-hR", owner, image).CombinedOutput()
	require.NoError(e.t, err, string(out))
	e.config.Linux.Namespaces = append(e.config.Linux.Namespaces,
		specs.LinuxNamespace{Type: specs.UserNamespace})
	ids := []specs.LinuxIDMapping{{ContainerID: first, HostID: 100000 + first, Size: 10000}}
	e.config.Linux.UIDMappings, e.config.Linux.GIDMappings = ids, ids
}

// closed is a directory, below one that nobody but the host's root can enter.
func closed(t *testing.T) string {
	t.Helper()
	above := t.TempDir()
	below := filepath.Join(above, "below")
	require.NoError(t, os.Mkdir(below, 0o755)) //nolint:gosec // closed above
	require.NoError(t, os.Chmod(above, 0o700)) //nolint:gosec // it is to be closed
	return below
}

// What the root of a container's user namespace cannot reach is there all the same: its
// root and what it is to see of the host, below directories that are closed to it. What
// is mounted there is not seen on the host.
func TestClosedDirectories(t *testing.T) {
	need.RealRoot(t)
	e := newEngine(t, "sleep", "1000")
	image, data := closed(t), closed(t)
	e.others(0, image)
	require.NoError(t, os.WriteFile(filepath.Join(data, "file"), []byte("seen\n"), 0o644))
	require.NoError(t, os.Mkdir(filepath.Join(data, "inner"), 0o755))
	bind := specs.Mount{
		Destination: "/data", Type: "bind", Source: data, Options: []string{"rbind", "rprivate"},
	}
	e.config.Mounts = append(e.config.Mounts, bind,
		specs.Mount{Destination: "/data/inner", Type: "tmpfs", Source: "tmpfs"})
	// The host's mounts reach each other, as systemd has it.
	share(t, image)
	share(t, data)
	before := mounts(t, os.Getpid())
	pid := e.begin()
	assert.Equal(t, []string{"0", "100000", "10000"}, strings.Fields(proc(t, pid, "uid_map")))
	assert.Equal(t, before, mounts(t, os.Getpid()))
	assert.Equal(t, "seen\n", e.ok("exec", "web", "cat", "/data/file"))
	assert.Contains(t, mounts(t, pid)["/data/inner"], " - tmpfs ")
	assert.NotContains(t, mounts(t, pid)["/data"], " shared:")
}

// share makes a directory a mount whose mounts are seen wherever there is a copy of it.
func share(t *testing.T, dir string) {
	t.Helper()
	require.NoError(t, unix.Mount(dir, dir, "", unix.MS_BIND, ""))
	t.Cleanup(func() { assert.NoError(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	require.NoError(t, unix.Mount("", dir, "", unix.MS_SHARED, ""))
}

// A user namespace needs no root: somebody else makes the container, and its command has
// no more rights than it is given.
func TestNoRoot(t *testing.T) {
	need.RealRoot(t)
	e := newEngine(t, "sleep", "1000")
	e.others(1000, t.TempDir())
	e.config.Process.User = specs.User{UID: 1001, GID: 1002, AdditionalGids: []uint32{1003}}
	data := t.TempDir()
	require.NoError(t, os.Chmod(data, 0o777)) //nolint:gosec // for the container's user
	secret := filepath.Join(data, "secret")
	require.NoError(t, os.WriteFile(secret, nil, 0o000))
	require.NoError(t, os.Chown(secret, 101005, 101005))
	e.config.Mounts = append(e.config.Mounts, specs.Mount{
		Destination: "/data", Type: "bind", Source: data, Options: []string{"bind"},
	})
	e.config.Process.Capabilities = nil
	pid := e.begin()
	assert.Equal(t, []string{"1000", "101000", "10000"}, strings.Fields(proc(t, pid, "uid_map")))
	assert.Equal(t, "101001 101001 101001 101001", field(t, pid, "Uid"))
	assert.Equal(t, "101002 101002 101002 101002", field(t, pid, "Gid"))
	for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
		assert.Equal(t, "0000000000000000", field(t, pid, set), set)
	}
	r := e.do("exec", "web", "sh", "-c", "id; echo > /data/new; cat /data/secret")
	assert.Contains(t, r.out, "uid=1001")
	assert.Contains(t, r.out, "gid=1002")
	assert.Contains(t, strings.ToLower(r.err), "permission denied")
	assert.FileExists(t, filepath.Join(data, "new"))
	// Whether its user may execute a program is said at once, for the exit status.
	e.config.Process.Args = []string{"/data/secret"}
	e.ok("delete", "--force", "web")
	r = e.run()
	assert.Equal(t, 126, r.status, r.err)
	assert.Contains(t, r.err, `exec: "/data/secret": permission denied`)
}
