//go:build linux

package cgroup

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"lab/internal/need"
)

// A hierarchy is found where it can be reached: not under another mount, and not where
// a directory above it is under one.
func TestReadHostCovered(t *testing.T) {
	need.Sandbox(t)
	before, err := ReadHost()
	require.NoError(t, err)
	require.NotEmpty(t, before.Hierarchies)
	last := before.Hierarchies[len(before.Hierarchies)-1]
	mount := func(source, path, kind string, flags uintptr) {
		t.Helper()
		require.NoError(t, unix.Mount(source, path, kind, flags, ""))
		t.Cleanup(func() { require.NoError(t, unix.Unmount(path, unix.MNT_DETACH)) })
	}
	aside := t.TempDir()
	mount(last.Mount, aside, "", unix.MS_BIND)

	mount("lab", last.Mount, "tmpfs", 0)
	covered, err := ReadHost()
	require.NoError(t, err)
	assert.Equal(t, aside, covered.Hierarchies[len(covered.Hierarchies)-1].Mount)

	// What lies on top is what counts.
	mount(aside, last.Mount, "", unix.MS_BIND)
	mount("lab", aside, "tmpfs", 0)
	again, err := ReadHost()
	require.NoError(t, err)
	assert.Equal(t, last, again.Hierarchies[len(again.Hierarchies)-1])

	mount("lab", filepath.Dir(last.Mount), "tmpfs", 0)
	none, err := ReadHost()
	require.NoError(t, err)
	assert.False(t, slices.ContainsFunc(none.Hierarchies, func(h Hierarchy) bool {
		return strings.HasPrefix(h.Mount, filepath.Dir(last.Mount))
	}))
}
