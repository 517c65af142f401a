//go:build linux

package inspect

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/moby/sys/mountinfo"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// endFirstThread makes this test's program one whose first thread ends and whose others
// live on.
const endFirstThread = "INSPECT_END_FIRST_THREAD"

func init() { // runs in the first thread, which keeps it
	if os.Getenv(endFirstThread) != "" {
		go func() { time.Sleep(time.Hour); os.Exit(1) }()
		runtime.LockOSThread()
		_, _, _ = unix.RawSyscall(unix.SYS_EXIT, 0, 0, 0) // of a thread: it does not return
	}
}

// A process may call itself anything, even what looks like the fields after it.
func TestReadProcessWithAnOddName(t *testing.T) {
	sleep, err := exec.LookPath("sleep")
	require.NoError(t, err)
	odd := filepath.Join(t.TempDir(), "a) R 1 (b")
	require.NoError(t, os.Symlink(sleep, odd))
	cmd := exec.CommandContext(t.Context(), odd, "1000")
	cmd.Args[0] = "sleep" // one program of many names looks at this
	require.NoError(t, cmd.Start())
	var p Process
	require.Eventually(t, func() bool { // Start returns a moment before the name changes
		p, err = ReadProcess(cmd.Process.Pid)
		return err == nil && p.Name == "a) R 1 (b"
	}, 2*time.Minute, time.Millisecond)
	assert.Equal(t, os.Getpid(), p.PPid)
	assert.Equal(t, os.Geteuid(), p.UID)
	assert.False(t, p.Kernel)
	assert.NotZero(t, p.Start)
}

func TestLimits(t *testing.T) {
	list, err := Limits(os.Getpid())
	require.NoError(t, err)
	var want unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_CORE, &want))
	found := false
	for _, l := range list {
		assert.NotEmpty(t, l.Soft, l.Name)
		assert.NotEmpty(t, l.Hard, l.Name)
		assert.NotContains(t, l.Name, "  ")
		if l.Name == "core file size" {
			found = true
			assert.Equal(t, "bytes", l.Unit)
			assert.Equal(t, want.Cur == 0, l.Soft == "0")
		}
	}
	assert.True(t, found)
	assert.GreaterOrEqual(t, len(list), 16)
}

func TestCapabilityNames(t *testing.T) {
	assert.Equal(t, []string{"chown"}, Capabilities(1<<unix.CAP_CHOWN).Names())
	assert.Equal(t, []string{"sys_admin"}, Capabilities(1<<unix.CAP_SYS_ADMIN).Names())
	assert.Equal(t, []string{"checkpoint_restore"},
		Capabilities(1<<unix.CAP_CHECKPOINT_RESTORE).Names())
	assert.Len(t, capabilityNames, unix.CAP_LAST_CAP+1)
	last := LastCapability()
	assert.Len(t, All(last).Names(), last+1)
}

func TestOwnNamespaceFile(t *testing.T) {
	file, err := OpenNamespace(os.Getpid(), "net")
	require.NoError(t, err)
	defer file.Close()
	inode, err := Namespace(os.Getpid(), "net")
	require.NoError(t, err)
	assert.Equal(t, inode, file.Inode)
	_, err = file.Parent()
	require.ErrorContains(t, err, "ioctl NS_GET_PARENT", "only pid and user namespaces have one")
}

// Where a cgroup is seen depends on what the mount shows as its top.
func TestCgroupIsFoundBelowItsMount(t *testing.T) {
	const table = `35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
36 31 0:33 /box /mnt/cpu rw - cgroup cgroup rw,cpu,cpuacct
37 31 0:34 /../.. /out rw - cgroup cgroup rw,pids
38 31 0:35 / /u rw - cgroup2 cgroup2 rw
39 31 0:36 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
`
	mounts, err := mountinfo.GetMountsFromReader(strings.NewReader(table), nil)
	require.NoError(t, err)
	for _, tt := range []struct{ name, controllers, path, want string }{
		{"at the top", "memory", "/", "/sys/fs/cgroup/memory"},
		{"below", "memory", "/a/b", "/sys/fs/cgroup/memory/a/b"},
		{"below a part", "cpu,cpuacct", "/box/a", "/mnt/cpu/a"},
		{"the part itself", "cpu,cpuacct", "/box", "/mnt/cpu"},
		{"beside the part", "cpu,cpuacct", "/boxes", ""},
		{"outside of the namespace", "memory", "/../a", ""},
		{"outside, and shown", "pids", "/../../a", "/out/a"},
		{"version 2", "", "/a", "/u/a"},
		{"a hierarchy with a name", "name=systemd", "/a", "/sys/fs/cgroup/systemd/a"},
		{"not mounted", "freezer", "/", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := Membership{Path: tt.path}
			if tt.controllers != "" {
				m.Controllers = strings.Split(tt.controllers, ",")
			}
			dir, _ := m.find(mounts, os.Getpid())
			assert.Equal(t, tt.want, dir)
		})
	}
}

// The error of a file below /proc says what became of the process.
func TestMeanwhile(t *testing.T) {
	pid := os.Getpid()
	none := fmt.Errorf("open: %w", fs.ErrNotExist)
	assert.Equal(t, none, Meanwhile(pid, none), "the process is there: the file is missing")

	cmd := exec.CommandContext(t.Context(), "true")
	require.NoError(t, cmd.Start())
	child := cmd.Process.Pid
	require.Eventually(t, func() bool {
		p, err := ReadProcess(child)
		return err == nil && p.State == 'Z'
	}, 2*time.Minute, time.Millisecond)
	require.ErrorIs(t, Meanwhile(child, none), ErrEnded, "a zombie")
	_, err := Mounts(child)
	require.ErrorIs(t, err, ErrNoMounts)

	require.NoError(t, cmd.Wait())
	require.ErrorIs(t, Meanwhile(child, none), ErrEnded)
	require.ErrorIs(t, Meanwhile(child, unix.ESRCH), ErrEnded)
	assert.Equal(t, unix.EPERM, Meanwhile(child, unix.EPERM))
}

// Below a mount that shows more than the reader's cgroup namespace, a cgroup is
// known by its members.
// A process lives as long as one of its threads does, whatever the first one's state.
func TestFirstThreadHasEnded(t *testing.T) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), endFirstThread+"=1")
	require.NoError(t, cmd.Start())
	path := fmt.Sprintf("/proc/%d/stat", cmd.Process.Pid)
	require.Eventually(t, func() bool {
		text, err := os.ReadFile(path)
		return err == nil && strings.Contains(string(text), ") Z ")
	}, time.Minute, time.Millisecond)
	status, err := ReadStatus(cmd.Process.Pid)
	require.NoError(t, err)
	assert.NotEqual(t, 'Z', rune(status.State))

	require.NoError(t, cmd.Process.Kill())
	require.Eventually(t, func() bool {
		p, err := ReadProcess(cmd.Process.Pid)
		return err == nil && p.State == 'Z'
	}, time.Minute, time.Millisecond, "killed, and not asked how it ended")
	assert.Error(t, cmd.Wait())
}

func TestUnnamed(t *testing.T) {
	top := t.TempDir()
	for dir, members := range map[string]string{
		"a/b": "7\n", "a/c": "8\n9\n", "a/c/lab": "10\n", "d": "11\n",
	} {
		require.NoError(t, os.MkdirAll(filepath.Join(top, dir), 0o755))
		file := filepath.Join(top, dir, "cgroup.procs")
		require.NoError(t, os.WriteFile(file, []byte(members), 0o600))
	}
	shows := &mountinfo.Info{
		Root: "/../..", Mountpoint: top, FSType: "cgroup", VFSOptions: "rw,memory",
	}
	for _, tt := range []struct {
		path string
		pid  int
		want string
	}{
		{"/", 9, "a/c"},
		{"/lab", 10, "a/c/lab"},
		{"/..", 11, "d"},
		{"/..", 9, ""}, // it is one level deeper
		{"/../b", 7, "a/b"},
		{"/", 12, ""},
	} {
		m := Membership{Controllers: []string{"memory"}, Path: tt.path}
		dir, mount := m.find([]*mountinfo.Info{shows}, tt.pid)
		if tt.want == "" {
			assert.Empty(t, dir, tt.path)
			continue
		}
		assert.Equal(t, filepath.Join(top, tt.want), dir, tt.path)
		assert.Equal(t, top, mount)
	}
}
