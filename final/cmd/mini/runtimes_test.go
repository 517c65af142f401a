package main_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"lab/internal/need"
)

// runtimeVariable names the runtime of all containers of a test; minirun if it is not set.
const runtimeVariable = "MINI_RUNTIME"

// What holds for containers holds with any runtime.
func TestOtherRuntimes(t *testing.T) {
	need.RealRoot(t)
	tests := []struct {
		name string
		run  func(*testing.T)
	}{
		{"status", TestRunPassesTheStatusOn},
		{"flags", TestRunFlags},
		{"life", TestLife},
		{"signals", TestSignalsArePassedOn},
		{"exec", TestExec},
		{"pause", TestPause},
		{"volumes", TestVolumesOfContainers},
		{"networks", TestNetworksOfContainers},
		{"namespaces", TestSharedNamespaces},
		{"memory", TestOutOfMemory},
		{"limits", TestLimitsAreTheKernels},
		{"rights", TestRights},
		{"settings", TestSettings},
		{"users", TestUsersAndFlags},
	}
	for _, name := range []string{"runc", "crun"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(runtimeVariable, need.Tool(t, name, name))
			if name == "crun" {
				hideUnified(t)
			}
			for _, test := range tests {
				t.Run(test.name, test.run)
			}
		})
	}
}

// ownWords reports whether the runtime says in its own words why a command cannot be
// executed: crun does, and not always which one.
func ownWords() bool { return filepath.Base(os.Getenv(runtimeVariable)) == "crun" }

// hideUnified covers the tree of cgroup version 2 in a hybrid: crun 1.8.1 refuses one
// that owns a controller. This host is a throw-away one.
func hideUnified(t *testing.T) {
	t.Helper()
	const unified = "/sys/fs/cgroup/unified"
	if _, err := os.Stat(unified); err != nil {
		return
	}
	require.NoError(t, unix.Mount("tmpfs", unified, "tmpfs", 0, ""))
	t.Cleanup(func() { require.NoError(t, unix.Unmount(unified, unix.MNT_DETACH)) })
}
