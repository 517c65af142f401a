//go:build linux

package inspect

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/sys/mountinfo"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A process may call itself anything, even what looks like the fields after it.
func TestReadProcessWithAnOddName(t *testing.T) {
	sleep, err := exec.LookPath("sleep")
	require.NoError(t, err)
	odd := filepath.Join(t.TempDir(), "a) R 1 (b")
	require.NoError(t, os.Symlink(sleep, odd))
	cmd := exec.CommandContext(t.Context(), odd, "1000")
	cmd.Args[0] = "sleep" // one program of many names looks at this
	require.NoError(t, cmd.Start())
	p, err := ReadProcess(cmd.Process.Pid)
	require.NoError(t, err)
	assert.Equal(t, "a) R 1 (b", p.Name)
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
			dir, _ := m.find(mounts)
			assert.Equal(t, tt.want, dir)
		})
	}
}
