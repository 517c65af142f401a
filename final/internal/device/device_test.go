//go:build linux

package device

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"lab/internal/need"
	"lab/internal/sandbox"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A copy of this test binary is started in a user namespace, where it makes a device.
func TestMain(m *testing.M) {
	if os.Args[0] == "maker" {
		err := Defaults()[0].Make(unix.AT_FDCWD, os.Args[1])
		fmt.Println(errors.Is(err, unix.EPERM), err)
		os.Exit(0)
	}
	os.Exit(sandbox.Run(m))
}

// newDev is the /dev of a container: a tmpfs, so that devices work in it.
func newDev(t *testing.T) (path string, dir int) {
	t.Helper()
	need.Sandbox(t)
	path = t.TempDir()
	require.NoError(t, unix.Mount("tmpfs", path, "tmpfs", unix.MS_NOSUID, "mode=755"))
	t.Cleanup(func() { require.NoError(t, unix.Unmount(path, unix.MNT_DETACH)) })
	dir, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, unix.Close(dir)) })
	mask := unix.Umask(0)
	t.Cleanup(func() { unix.Umask(mask) })
	return path, dir
}

// stat tells type, permissions, number and owner of a file.
//
//	c 0666 1:3 0:0
func stat(t *testing.T, path string) string {
	t.Helper()
	var st unix.Stat_t
	require.NoError(t, unix.Lstat(path, &st))
	letter := map[uint32]string{unix.S_IFCHR: "c", unix.S_IFIFO: "p", unix.S_IFREG: "-"}
	return fmt.Sprintf("%s %04o %d:%d %d:%d", letter[st.Mode&unix.S_IFMT], st.Mode&0o7777,
		unix.Major(st.Rdev), unix.Minor(st.Rdev), st.Uid, st.Gid)
}

// The default devices are those of the host, and work.
func TestMake(t *testing.T) {
	need.RealRoot(t)
	path, dir := newDev(t)
	for _, n := range Defaults() {
		name := filepath.Base(n.Path)
		require.NoError(t, n.Make(dir, name))
		require.Equal(t, fmt.Sprintf("c 0666 %d:%d 0:0", n.Major, n.Minor),
			stat(t, filepath.Join(path, name)))
		require.NoError(t, n.Make(dir, name), "it is there")
	}
	works(t, path)
}

// works writes to null and reads from zero.
func works(t *testing.T, dev string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dev, "null"), []byte("gone"), 0))
	zero, err := os.Open(filepath.Join(dev, "zero"))
	require.NoError(t, err)
	defer zero.Close()
	data := []byte("full")
	_, err = zero.Read(data)
	require.NoError(t, err)
	require.Equal(t, make([]byte, 4), data)
}

// A node of the configuration has its own owner and mode; a FIFO needs no number.
func TestMakeAsConfigured(t *testing.T) {
	need.RealRoot(t)
	path, dir := newDev(t)
	mode, uid, gid := fs.FileMode(0o1642), uint32(12), uint32(34)
	for _, given := range []specs.LinuxDevice{
		{Path: "/dev/x", Type: "c", Major: 10, Minor: 200, FileMode: &mode, UID: &uid, GID: &gid},
		{Path: "/dev/pipe", Type: "p"},
	} {
		n, err := FromSpec(given)
		require.NoError(t, err)
		require.NoError(t, n.Make(dir, filepath.Base(n.Path)))
	}
	require.Equal(t, "c 1642 10:200 12:34", stat(t, filepath.Join(path, "x")))
	require.Equal(t, "p 0666 0:0 0:0", stat(t, filepath.Join(path, "pipe")))
}

// In a user namespace the host's nodes are mounted instead, also onto a file that is
// there already.
func TestBind(t *testing.T) {
	path, dir := newDev(t)
	require.NoError(t, os.WriteFile(filepath.Join(path, "full"), nil, 0o600))
	for _, n := range Defaults() {
		name := filepath.Base(n.Path)
		require.NoError(t, n.Bind(dir, name))
		target := filepath.Join(path, name)
		require.Equal(t, stat(t, n.Path), stat(t, target))
		t.Cleanup(func() { require.NoError(t, unix.Unmount(target, unix.MNT_DETACH)) })
	}
	works(t, path)
}

// What an image has put in the node's place leads nowhere and is not taken for it.
func TestTraps(t *testing.T) {
	path, dir := newDev(t)
	outside := filepath.Join(t.TempDir(), "outside")
	null := Defaults()[0]
	for _, test := range []struct {
		name string
		trap func(name string) error
	}{
		{"link", func(name string) error { return os.Symlink(outside, name) }},
		{"directory", func(name string) error { return os.Mkdir(name, 0o755) }},
	} {
		require.NoError(t, test.trap(filepath.Join(path, test.name)))
		require.ErrorIs(t, null.Bind(dir, test.name), unix.EEXIST)
		require.ErrorIs(t, null.Make(dir, test.name), unix.EEXIST)
	}
	require.NoFileExists(t, outside)
	require.NoError(t, os.WriteFile(filepath.Join(path, "file"), nil, 0o600))
	require.EqualError(t, null.Make(dir, "file"),
		"/dev/null is there and is not the device c 1 3: file exists")

	other := null
	other.Minor = 99
	require.EqualError(t, other.Bind(dir, "null"),
		"the host's /dev/null is there and is not the device c 1 99: file exists")
	other.Path = "/dev/nowhere"
	require.EqualError(t, other.Bind(dir, "null"),
		"open_tree /dev/nowhere: no such file or directory")
}

// In a user namespace the kernel makes no devices: the error is the one by which the
// caller knows to bind.
func TestMakeIsRefused(t *testing.T) {
	need.UserNS(t)
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Args = []string{"maker", filepath.Join(t.TempDir(), "null")}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}},
	}
	out, err := cmd.Output()
	require.NoError(t, err)
	require.Equal(t, "true mknod /dev/null c 1 3: operation not permitted\n", string(out))
}

// Links are made; one of the image's own stays.
func TestLinks(t *testing.T) {
	path, dir := newDev(t)
	require.NoError(t, os.Symlink("elsewhere", filepath.Join(path, "stdin")))
	for _, l := range Links() {
		require.NoError(t, l.Make(dir, filepath.Base(l.Path)))
	}
	for name, want := range map[string]string{
		"fd": "/proc/self/fd", "stdin": "elsewhere", "stdout": "/proc/self/fd/1",
		"ptmx": "pts/ptmx",
	} {
		target, err := os.Readlink(filepath.Join(path, name))
		require.NoError(t, err)
		require.Equal(t, want, target)
	}
}

// What is wrong with a device is said in words.
func TestWrongDevices(t *testing.T) {
	for _, test := range []struct {
		given specs.LinuxDevice
		want  string
	}{
		{
			specs.LinuxDevice{Path: "/dev/x", Type: "q"},
			`device /dev/x: type "q" is none of b, c, u, p`,
		},
		{specs.LinuxDevice{Path: "dev/x", Type: "c"}, `device "dev/x": the path is not absolute`},
		{specs.LinuxDevice{Path: "/", Type: "c"}, `device "/": the path is not absolute`},
		{
			specs.LinuxDevice{Path: "/dev/x", Type: "b", Major: -1},
			`device /dev/x: -1:0 is no device number`,
		},
	} {
		_, err := FromSpec(test.given)
		require.EqualError(t, err, test.want)
	}
}
