//go:build linux

package cgroup

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lab/internal/need"
)

// delegatee is what an ordinary user's runtime does in a cgroup that was delegated to
// it with nobody else in it: it limits a container, and afterwards all is as it was.
func delegatee() error {
	h, err := ReadHost()
	if err != nil {
		return err
	}
	l, err := Compile(&specs.LinuxResources{
		Pids: &specs.LinuxPids{Limit: new(int64(7))}, Memory: memoryLimited(32).Memory,
	}, h)
	if err != nil {
		return err
	}
	r, err := h.Request("", "web", l)
	if err != nil {
		return err
	}
	c, err := Make(h, r)
	if err != nil {
		return err
	}
	for _, w := range l.Writes {
		if err := c.Write(w); err != nil {
			return err
		}
	}
	limit, err := os.ReadFile(filepath.Join(c.Places[0].Dir, "pids.max"))
	if err != nil {
		return err
	}
	b, err := c.Birth()
	if err != nil {
		return err
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), roleVariable+"=wait")
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(b.Dir().Fd())}
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "ready\n" {
		return fmt.Errorf("%s: %w", out, err)
	}
	fmt.Printf("in %s: %s", filepath.Base(c.Places[0].Dir), limit)
	return errors.Join(b.Close(), c.Remove())
}

func TestDelegated(t *testing.T) {
	need.RealRoot(t)
	need.CgroupV2(t)
	c := limited(t, pidsLimited())
	own := c.Places[0].Dir
	const user = 65534
	require.NoError(t, os.Chown(own, user, -1))
	for _, file := range []string{"cgroup.procs", subtreeControl, "cgroup.threads"} {
		require.NoError(t, os.Chown(filepath.Join(own, file), user, -1))
	}
	b, err := c.Birth()
	require.NoError(t, err)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), roleVariable+"=delegatee")
	cmd.SysProcAttr = asUser(user, int(b.Dir().Fd()))
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Equal(t, "in minirun-web: 7\n", string(out))
	require.NoError(t, b.Close())
	entries, err := filepath.Glob(filepath.Join(own, "minirun*"))
	require.NoError(t, err)
	assert.Empty(t, entries)
	assert.Empty(t, file(t, c, "cgroup", subtreeControl))

	// With another process in it there is no room, and nobody is moved.
	p := born(t, c)
	b, err = c.Birth()
	require.NoError(t, err)
	cmd = exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), roleVariable+"=delegatee")
	cmd.SysProcAttr = asUser(user, int(b.Dir().Fd()))
	out, err = cmd.CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(out), "cannot hand memory on: processes are in it")
	assert.Equal(t, "done", p.do("touch 1"))
	require.NoError(t, b.Close())
}

// The owner may make cgroups below the container's, and not change its limits.
func TestOwn(t *testing.T) {
	need.RealRoot(t)
	need.CgroupV2(t)
	c := limited(t, pidsLimited())
	require.NoError(t, c.Own(65534))
	for file, want := range map[string]uint32{
		"": 65534, "cgroup.procs": 65534, subtreeControl: 65534, "pids.max": 0,
	} {
		assert.Equal(t, want, ownerOf(t, filepath.Join(c.Places[0].Dir, file)), file)
	}
}

// A process is born at the side of one that has gone below the container's cgroup,
// where that can take no more.
func TestBeside(t *testing.T) {
	need.Cgroup(t, "pids")
	c := limited(t, pidsLimited())
	p := born(t, c)
	nest(t, c, "init")
	sub, err := c.Sub("init")
	require.NoError(t, err)
	q := born(t, sub)
	beside, err := c.Beside(q.Process.Pid)
	require.NoError(t, err)
	if c.Places[0].Version == 1 {
		assert.Equal(t, c.Places, beside.Places)
		return
	}
	assert.Equal(t, sub.Places, beside.Places)
	beside, err = c.Beside(p.Process.Pid)
	require.NoError(t, err)
	assert.Equal(t, c.Places, beside.Places)
	_, err = c.Beside(os.Getpid())
	require.ErrorContains(t, err, "not in the container's")
}

func TestSub(t *testing.T) {
	need.Cgroup(t, "pids")
	c := limited(t, pidsLimited())
	nest(t, c, "deep")
	sub, err := c.Sub("pids:/deep")
	require.NoError(t, err)
	q := born(t, sub)
	pids, err := c.Procs(true)
	require.NoError(t, err)
	assert.Equal(t, []int{q.Process.Pid}, pids)
	_, err = c.Sub("gpu:/deep")
	require.ErrorContains(t, err, "has not joined the controller gpu")
	_, err = c.Sub("/../../none")
	require.ErrorContains(t, err, "the container has no cgroup /../../none: "+c.Places[0].Dir)
}
