//go:build linux

package kernel

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestRead(t *testing.T) {
	for _, size := range []int{0, 1, piece - 1, piece, 3*piece + 7} {
		path := filepath.Join(t.TempDir(), "file")
		want := strings.Repeat("x", size)
		require.NoError(t, os.WriteFile(path, []byte(want), 0o600))
		got, err := Read(path)
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
	want, err := os.ReadFile("/proc/self/maps")
	require.NoError(t, err)
	got, err := Read("/proc/self/maps")
	require.NoError(t, err)
	first := func(text []byte) string { return strings.SplitN(string(text), "\n", 2)[0] }
	require.Equal(t, first(want), first(got))
}

func TestReadFails(t *testing.T) {
	_, err := Read("/nowhere")
	require.ErrorIs(t, err, os.ErrNotExist)
	require.EqualError(t, err, "open /nowhere: no such file or directory")
	_, err = Read("/proc")
	require.ErrorIs(t, err, unix.EISDIR)
	require.EqualError(t, err, "read /proc: is a directory")
}
