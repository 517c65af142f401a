//go:build linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"lab/internal/need"
	"lab/internal/program"
)

// Under sudo(8) the programs are built as the one who called, into their cache,
// although sudo's PATH lacks Go; only the run is root's.
func TestSudo(t *testing.T) {
	need.RealRoot(t)
	goTool := need.Go(t)
	if _, err := os.Stat("/usr/local/go/bin/go"); err != nil {
		t.Skipf("need Go in /usr/local/go, which PATH may lack; it is at %s", goTool)
	}
	const uid = 54321
	home := account(t)
	modules := lend(t, moduleCache(t, goTool))

	// Only lab itself is copied: the step has to be built.
	path, err := program.Path(t.Context(), "lab")
	require.NoError(t, err)
	self := filepath.Join(home, "lab")
	copyFile(t, path, self)

	cmd := exec.CommandContext(t.Context(), self, "run", "01", "-hostname", "web", "hostname")
	cmd.Env = []string{
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "SUDO_UID=54321", "SUDO_GID=54321",
		"SUDO_USER=labsudo", "GOMODCACHE=" + modules,
	}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Equal(t, "web\n", string(out))

	built, err := filepath.Glob(filepath.Join(home, ".cache", "lab", "bin", "*", "01-uts"))
	require.NoError(t, err)
	require.Len(t, built, 1)
	for _, file := range []string{
		built[0], filepath.Dir(built[0]), filepath.Join(home, ".cache"),
		filepath.Join(home, ".local", "state", "lab", "progress"),
	} {
		info, err := os.Stat(file)
		require.NoError(t, err)
		assert.EqualValues(t, uid, info.Sys().(*syscall.Stat_t).Uid, "owner of %s", file)
	}
}

// account makes a user, number 54321, who exists only in this throw-away host,
// with a home.
func account(t *testing.T) string {
	t.Helper()
	const uid = 54321
	dir := t.TempDir()
	home := filepath.Join(dir, "home")
	require.NoError(t, os.Mkdir(home, 0o755))
	require.NoError(t, os.Chown(home, uid, uid))
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755)) // the account has to get through
	passwd, err := os.ReadFile("/etc/passwd")
	require.NoError(t, err)
	file := filepath.Join(dir, "passwd")
	line := "labsudo:x:54321:54321::" + home + ":/bin/sh\n"
	require.NoError(t, os.WriteFile(file, append(passwd, line...), 0o644))
	bind(t, file, "/etc/passwd")
	return home
}

// lend shows a directory at a place that every account can reach.
func lend(t *testing.T, dir string) string {
	t.Helper()
	place := t.TempDir()
	bind(t, dir, place)
	return place
}

// bind mounts a file or a directory onto another until the test ends.
func bind(t *testing.T, from, to string) {
	t.Helper()
	require.NoError(t, unix.Mount(from, to, "", unix.MS_BIND, ""))
	t.Cleanup(func() { assert.NoError(t, unix.Unmount(to, unix.MNT_DETACH)) })
}

// moduleCache returns where this account's modules are.
func moduleCache(t *testing.T, goTool string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), goTool, "env", "GOMODCACHE").Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(out))
}

// copyFile copies a program.
func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, text, 0o755))
}
