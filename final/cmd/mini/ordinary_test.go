package main_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"lab/internal/need"
)

// lent is the first of the ids that the ordinary user of newLent was lent.
const lent = 700000

// newLent is a mini of an ordinary user who was lent ids. Root alone can become that user.
func newLent(t *testing.T) *mini {
	t.Helper()
	need.Sandbox(t)
	need.Overlay(t)
	need.RealRoot(t)
	need.Tool(t, "newuidmap", "uidmap")
	paths, err := programs()
	require.NoError(t, err)
	// Not in memory: not every kernel has the attributes there that this overlay needs.
	dir, err := os.MkdirTemp("/tmp", "m") //nolint:usetesting // As of newMini.
	require.NoError(t, err)
	t.Cleanup(func() {
		eventually(t, dir+" goes", func() bool { return os.RemoveAll(dir) == nil })
	})
	require.NoError(t, os.Chown(dir, ordinaryUID, ordinaryUID))
	require.NoError(t, os.Chmod(dir, 0o755))
	// Programs may be where only root finds them.
	for name, path := range paths {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), text, 0o755))
	}
	account(t, "passwd", fmt.Sprintf("root:x:0:0::/:/bin/sh\nordinary:x:%d:%[1]d::%s:/bin/sh\n",
		ordinaryUID, dir))
	account(t, "subuid", fmt.Sprintf("ordinary:%d:65536\n", lent))
	account(t, "subgid", fmt.Sprintf("ordinary:%d:65536\n", lent))
	m := &mini{
		t: t, path: filepath.Join(dir, "mini"), root: filepath.Join(dir, "root"),
		state: filepath.Join(dir, "state"), env: []string{"HOME=" + dir},
		as: &syscall.Credential{Uid: ordinaryUID, Gid: ordinaryUID},
	}
	t.Cleanup(m.clean)
	return m
}

// account puts a file over one of /etc, for the time of a test.
//
//	mount --bind FILE /etc/NAME
func account(t *testing.T, name, text string) {
	t.Helper()
	file, place := filepath.Join(t.TempDir(), name), filepath.Join("/etc", name)
	require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	require.NoError(t, unix.Mount(file, place, "", unix.MS_BIND, ""))
	t.Cleanup(func() { require.NoError(t, unix.Unmount(place, unix.MNT_DETACH)) })
}

// An ordinary user's containers have users of their own, a network among themselves and
// ports of the host, and when the last one has ended nothing of all that is there.
func TestOrdinaryUser(t *testing.T) {
	m := newLent(t)
	busybox := need.Tool(t, "busybox", "busybox-static")
	dir := filepath.Dir(m.root)
	m.ok("network", "create", "front")
	m.ok("run", "-d", "--name", "web", "--network", "front", "-p", "127.0.0.1::80",
		"-v", busybox+":/busybox:ro", "-v", dir+":/here", "base", "sh",
		"-c", "id > /here/root; exec /busybox nc -ll -p 80 -e /busybox echo hello")
	assert.Equal(t, fmt.Sprintf("0 %d 1 1 %d 65536", ordinaryUID, lent), strings.Join(
		strings.Fields(m.ok("exec", "web", "cat", "/proc/self/uid_map")), " "))
	m.ok("run", "--rm", "--network", "none", "-u", "7:8", "--tmpfs", "/here", "base", "true")
	m.ok("exec", "web", "mkdir", "-m", "777", "/here/open")
	m.ok("exec", "-u", "7:8", "web", "touch", "/here/open/file")
	for file, owner := range map[string]uint32{"root": ordinaryUID, "open/file": lent + 6} {
		var st unix.Stat_t
		require.NoError(t, unix.Stat(filepath.Join(dir, file), &st))
		assert.Equal(t, owner, st.Uid, file)
	}
	assert.Equal(t, "ok", m.ok("run", "--rm", "--network", "front", "base", "sh", "-c",
		"ping -c 1 web > /dev/null && echo ok"), "neighbours find each other by name")

	place, _, _ := strings.Cut(m.ok("ps", "--format", "{{.Ports}}"), "->")
	eventually(t, "the port answers", func() bool { return answer(place) == "hello\n" })
	r := m.do("run", "--rm", "-p", place+":9", "base", "true")
	assert.Contains(t, r.err, "port "+place+"/tcp: taken")
	m.ok("rm", "-f", "web")
	for _, kept := range []string{"user", "network"} {
		eventually(t, "who keeps the namespace ends", func() bool {
			_, err := os.Lstat(filepath.Join(m.state, kept, "keeper.json"))
			return errors.Is(err, os.ErrNotExist)
		})
	}

	// Other ids would make strangers of the files that are there.
	account(t, "subuid", "ordinary:900000:65536\n")
	assert.Contains(t, m.do("ps").err, m.root+": its files were written with other")
	assert.Contains(t, m.do("--state", "/run", "ps").err, "/run: it is no directory of yours")
	account(t, "subuid", fmt.Sprintf("ordinary:%d:65536\n", lent))
}

// answer is what a port says; nothing if nobody is there.
func answer(place string) string {
	conn, err := net.Dial("tcp", place)
	if err != nil {
		return ""
	}
	defer conn.Close()
	if conn.SetDeadline(time.Now().Add(10*time.Second)) != nil {
		return ""
	}
	text, _ := io.ReadAll(conn) // some of it may be there
	return string(text)
}
