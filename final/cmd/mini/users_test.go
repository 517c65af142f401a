package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lab/internal/inspect"
	"lab/internal/need"
)

// ownersOf are who a file of the host belongs to.
func ownersOf(t *testing.T, path string) string {
	t.Helper()
	info, err := os.Lstat(path)
	require.NoError(t, err)
	st, ok := info.Sys().(*syscall.Stat_t)
	require.True(t, ok)
	return fmt.Sprintf("%d:%d", st.Uid, st.Gid)
}

// pidOf is the first process of a container.
func (m *mini) pidOf(name string) int {
	m.t.Helper()
	pid, err := strconv.Atoi(m.ok("inspect", "-f", "{{.State.Pid}}", name))
	require.NoError(m.t, err)
	return pid
}

// upper is where what a container has changed is on disk.
func (m *mini) upper(name string) string {
	m.t.Helper()
	return filepath.Join(m.root, "containers", m.ok("inspect", "-f", "{{.ID}}", name), "upper")
}

// A container with users of its own is nobody on the host, and no other one is the same.
// On disk everything belongs to whom it belongs to inside.
func TestUsersOfItsOwn(t *testing.T) {
	need.RealRoot(t)
	m := lendingMini(t)
	m.as = &syscall.Credential{Groups: []uint32{0, 4}} // which are nobody else's business
	for _, name := range []string{"one", "two"} {
		m.ok("run", "-d", "--name", name, "--userns", "auto", "-v", "data:/data", "base", "sleep",
			"1000")
	}
	m.as = nil
	one, err := inspect.IDMap(m.pidOf("one"), "uid")
	require.NoError(t, err)
	two, err := inspect.IDMap(m.pidOf("two"), "gid")
	require.NoError(t, err)
	require.Len(t, one, 1)
	require.Len(t, two, 1)
	assert.Zero(t, one[0].Inside)
	assert.GreaterOrEqual(t, one[0].Outside, 1<<16)
	assert.GreaterOrEqual(t, two[0].Outside, one[0].Outside+one[0].Size, "no id is both's")

	t.Run("it has groups of its own, and none of the caller's", func(t *testing.T) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/setgroups", m.pidOf("one")))
		require.NoError(t, err)
		assert.Equal(t, "allow\n", string(text))
		status, err := inspect.ReadStatus(m.pidOf("one"))
		require.NoError(t, err)
		assert.Empty(t, status.Groups)
	})
	t.Run("exec", func(t *testing.T) {
		m.ok("exec", "one", "sh", "-c", "echo 1 > /f; chown 33:34 /f; echo 2 > /data/g")
		assert.Equal(t, "out", m.ok("exec", "one", "sh", "-c", "echo out > /dev/stdout"))
		status, err := inspect.ReadStatus(m.pidOf("one"))
		require.NoError(t, err)
		assert.Equal(t, one[0].Outside, status.UID[1])
		assert.Equal(t, "33:34", ownersOf(t, filepath.Join(m.upper("one"), "f")))
		assert.Equal(t, "0:0", ownersOf(t, filepath.Join(m.root, "volumes/data/_data/g")))
		assert.Equal(t, "2", m.ok("exec", "two", "sh", "-c", "echo 3 >> /data/g; head -1 /data/g"),
			"a volume is everybody's")
	})
	t.Run("cp, while it runs and when it does not", func(*testing.T) { m.copiesOwners("one") })
	t.Run("commit, diff and export know its own owners", func(t *testing.T) {
		assert.Equal(t, "A /data\nA /f\nA /in\nA /late", m.ok("diff", "one"))
		m.ok("commit", "one", "kept")
		assert.Equal(t, "/f 33:34\n/in 7:8", m.owners("kept"))
		assert.Equal(t, "/f 33:34\n/in 7:8", m.owners("kept", "--userns", "auto"))
	})
	t.Run("what is written down is not lost", func(t *testing.T) {
		m.ok("restart", "--time", "0", "one")
		again, err := inspect.IDMap(m.pidOf("one"), "uid")
		require.NoError(t, err)
		assert.Equal(t, one, again)
		assert.Equal(t, "1", m.ok("exec", "one", "cat", "/f"))
	})
	m.ok("rm", "--force", "one", "two")
	m.empty()
	assert.Empty(t, m.ok("system", "check"))
}

// owners are those of two files of an image.
func (m *mini) owners(image string, flags ...string) string {
	m.t.Helper()
	args := append([]string{"run", "--rm"}, flags...)
	return m.ok(append(args, image, "stat", "-c", "%n %u:%g", "/f", "/in")...)
}

// copiesOwners copies into a container and out of it.
func (m *mini) copiesOwners(name string) {
	m.t.Helper()
	here := m.t.TempDir()
	in, out := filepath.Join(here, "in"), filepath.Join(here, "out")
	require.NoError(m.t, os.WriteFile(in, []byte("in\n"), 0o644))
	require.NoError(m.t, os.Chown(in, 7, 8))
	m.ok("cp", "-a", in, name+":/in")
	m.ok("cp", "-a", name+":/f", out)
	assert.Equal(m.t, "33:34", ownersOf(m.t, out))
	assert.Equal(m.t, "7:8", ownersOf(m.t, filepath.Join(m.upper(name), "in")))
	m.ok("stop", "--time", "0", name)
	m.ok("cp", in, name+":/late")
	assert.Equal(m.t, "0:0", ownersOf(m.t, filepath.Join(m.upper(name), "late")))
	m.ok("start", name)
	assert.Equal(m.t, "in", m.ok("exec", name, "cat", "/late"))
}

// What is asked for beside users of its own is there for them.
func TestUsersAndFlags(t *testing.T) {
	need.RealRoot(t)
	m := lendingMini(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "f")
	require.NoError(t, os.WriteFile(file, []byte("host\n"), 0o644))
	const touch = "echo more >> /b/f || echo refused"
	tests := []struct {
		name string
		args []string
		want string
	}{
		{
			"a directory of the host is strangers'",
			[]string{"-v", dir + ":/b", "base", "sh", "-c", touch + " 2>/dev/null"},
			"refused\n",
		},
		{"or its own", []string{"-v", dir + ":/b:idmap", "base", "sh", "-c", touch}, ""},
		{
			"a file, too",
			[]string{
				"--mount", "type=bind,src=" + file + ",dst=/x,idmap,ro", "base", "sh", "-c",
				"cat /x; stat -c %u:%g /x",
			},
			"host\nmore\n0:0\n",
		},
		{
			"a volume is filled, a directory made, and one is another user",
			[]string{
				"-v", "/etc", "-w", "/srv/own", "-u", "5:6", "base", "sh", "-c",
				"echo > x; stat -c %u:%g . x /etc/passwd",
			},
			"5:6\n5:6\n0:0\n",
		},
		{
			"its input and output and its names are its own",
			[]string{
				"--init", "base", "sh", "-c",
				"echo out > /dev/stdout; echo 192.0.2.1 x >> /etc/hosts; tail -1 /etc/hosts",
			},
			"out\n192.0.2.1 x\n",
		},
		{
			"the host's network, and a root that it cannot write to",
			[]string{
				"--network", "host", "--read-only", "--tmpfs", "/t", "base", "sh", "-c",
				"touch /t/x; stat -c %u:%g /t/x",
			},
			"0:0\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			args := []string{"run", "--rm", "-i", "--userns", "auto"}
			r := m.do(append(args, tt.args...)...)
			assert.Zero(t, r.status, r.err)
			assert.Equal(t, tt.want, r.out, r.err)
		})
	}
	assert.Equal(t, "0:0", ownersOf(t, file))
}

// What cannot be had with users of its own is refused in one line.
func TestUsersRefused(t *testing.T) {
	m := newMini(t)
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"other words of podman's", []string{"--userns", "keep-id"}, "only root can"},
		{"a word that is none", []string{"--userns", "own"}, "neither auto nor host"},
		{"idmap without them", []string{"-v", "/:/host:idmap"}, "idmap"},
	}
	own := []struct{ flag, value string }{
		{"--privileged", "true"}, {"--pid", "host"}, {"--ipc", "host"},
	}
	for _, o := range own {
		tests = append(tests, struct {
			name string
			args []string
			want string
		}{o.flag, []string{"--userns", "auto", o.flag + "=" + o.value}, "hint: "})
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := m.do(append(append([]string{"create"}, tt.args...), "base")...)
			assert.NotZero(t, r.status)
			assert.Contains(t, r.err, tt.want)
			assert.Contains(t, r.err, "\nhint: ")
			assert.LessOrEqual(t, strings.Count(r.err, "\n"), 2)
			m.empty()
		})
	}
}
