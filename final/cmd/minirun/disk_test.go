package main_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// narrow gives an engine's state a disk of its own with little room.
func narrow(t *testing.T, e *engine) {
	t.Helper()
	require.NoError(t, os.MkdirAll(e.state, 0o755))
	require.NoError(t, unix.Mount("tmpfs", e.state, "tmpfs", 0, "size=64k,mode=755"))
	t.Cleanup(func() { require.NoError(t, unix.Unmount(e.state, unix.MNT_DETACH)) })
}

// fill takes all the room that is left.
func fill(t *testing.T, e *engine) {
	t.Helper()
	file, err := os.Create(filepath.Join(e.state, ".filling"))
	require.NoError(t, err)
	defer file.Close()
	for err == nil {
		_, err = file.Write(make([]byte, 4096))
	}
	require.ErrorIs(t, err, unix.ENOSPC)
}

// On a full disk there is no container, and one that is there can be started, looked at
// and removed.
func TestFaultDiskFull(t *testing.T) {
	e := newEngine(t, "sleep", "1000")
	narrow(t, e)
	e.write()
	e.ok("create", "web")
	fill(t, e)
	r := e.do("create", "more")
	assert.Equal(t, 1, r.status)
	assert.Contains(t, r.err, "no space left on device")
	assert.NoDirExists(t, filepath.Join(e.state, "more"))
	assert.Len(t, inits(t), 1)

	assert.Equal(t, "created", e.status())
	e.ok("start", "web")
	assert.Equal(t, "running", e.status())
	e.ok("delete", "--force", "web")
	assert.Empty(t, e.ok("list", "--quiet"))
	require.NoError(t, os.Remove(filepath.Join(e.state, ".filling")))
	e.ok("create", "more")
	e.ok("delete", "more")
}

// A state directory that cannot be written to is an error that names it.
func TestFaultReadOnly(t *testing.T) {
	e := newEngine(t, "sleep", "1000")
	narrow(t, e)
	e.write()
	require.NoError(t, unix.Mount("", e.state, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	r := e.do("create", "web")
	assert.Equal(t, 1, r.status)
	assert.Contains(t, r.err, "mkdir "+filepath.Join(e.state, "web")+": read-only file system")
	assert.Empty(t, inits(t))
	e.ok("list")
}
