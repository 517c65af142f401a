package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"lab/internal/need"
)

// lastDigits is the ID of no container.
var lastDigits = strings.Repeat("f", 64)

// Who is killed between the two halves of `run` leaves a container that was created, as
// docker does, and with --rm none.
func TestRunKilledBeforeTheStart(t *testing.T) {
	for _, test := range []struct {
		flag    string
		created int
		found   string
	}{
		{"--tty=false", 2, ""},
		{"--rm", 1, "was to be started by a command that is gone"},
	} {
		t.Run(test.flag, func(t *testing.T) {
			m := newMini(t)
			m.ok("create", "--name", "first", "base", "true")
			// It tells that it has made the container, and nobody listens.
			events := filepath.Join(m.root, "events")
			require.NoError(t, os.Remove(events))
			require.NoError(t, unix.Mkfifo(events, 0o666))
			require.NoError(t, os.Chmod(events, 0o666))
			cmd := m.command("run", test.flag, "base", "true")
			require.NoError(t, cmd.Start())
			eventually(t, "it has made one", func() bool {
				records, err := filepath.Glob(filepath.Join(m.root, "containers/*/container.json"))
				return err == nil && len(records) == 2
			})
			m.kill(cmd.Process.Pid)
			require.Error(t, cmd.Wait())
			require.NoError(t, os.Remove(events))

			r := m.do("system", "check")
			assert.Contains(t, r.out, test.found)
			assert.Equal(t, test.found != "", r.status == 1, r.out)
			created := m.ok("ps", "-aq", "--filter", "status=created")
			assert.Len(t, strings.Fields(created), test.created)
			assert.Empty(t, m.ok("system", "check"))
		})
	}
}

// A runtime that is killed leaves a cgroup with a process in it, of which it knows nothing
// any more. Nothing of it stays.
func TestRuntimeThatIsKilled(t *testing.T) {
	need.RealRoot(t)
	m := newMini(t)
	m.env = append(m.env, "CGROUPS="+strings.Join(cgroupMounts(t), " "))
	runtime := filepath.Join(t.TempDir(), "killed")
	require.NoError(t, os.WriteFile(runtime, []byte(`#!/bin/sh
# --root DIR create|delete … ID
verb=$3
for id; do :; done
if [ "$verb" = delete ]; then
  echo "container $id does not exist" >&2
  exit 1
fi
sleep 1000 >/dev/null 2>&1 &
for mount in $CGROUPS; do
  mkdir "$mount/mini-$id"
  echo $! >"$mount/mini-$id/cgroup.procs"
done
kill -KILL $$
`), 0o700)) //nolint:gosec // It is executed.
	r := m.do("--runtime", runtime, "run", "--rm", "--network", "none", "base", "true")
	assert.Equal(t, 125, r.status)
	assert.Contains(t, r.err, "killed create ended with status 137 and said nothing")
	assert.Empty(t, cgroupsOf(t, ""))
	assert.Empty(t, m.ok("ps", "-aq"))
	assert.Empty(t, m.ok("system", "check"))
}

// cgroupMounts are where hierarchies are mounted in which mini makes cgroups.
func cgroupMounts(t *testing.T) (all []string) {
	t.Helper()
	hierarchies, err := need.Hierarchies()
	require.NoError(t, err)
	for _, h := range hierarchies {
		if h.Has("memory") || h.Has("pids") || h.Has("cpu") {
			all = append(all, h.Mount)
		}
	}
	require.NotEmpty(t, all)
	return all
}

// cgroupsOf lists the cgroups of mini's containers whose IDs begin so.
func cgroupsOf(t *testing.T, id string) (all []string) {
	t.Helper()
	for _, mount := range cgroupMounts(t) {
		found, err := filepath.Glob(filepath.Join(mount, "mini-"+id+"*"))
		require.NoError(t, err)
		all = append(all, found...)
	}
	return all
}

// What is left outside of our directories is found, and goes: cgroups, links, rules,
// mounts, monitors. What containers need stays.
func TestSystemCheckOfTheHost(t *testing.T) {
	need.RealRoot(t)
	m := newMini(t)
	need.Tool(t, "nft", "nftables")
	web := m.ok("run", "-d", "--name", "web", "base", "sleep", "1000")
	lost := m.ok("run", "-d", "--network", "none", "base", "sleep", "1000")
	ended := m.ok("create", "--name", "ended", "base", "true")
	assert.Empty(t, m.ok("system", "check"))

	mount := cgroupMounts(t)[0]
	require.NoError(t, os.MkdirAll(filepath.Join(mount, "mini-"+lastDigits, "below"), 0o755))
	require.NoError(t, os.Mkdir(filepath.Join(mount, "mini-"+ended), 0o755))
	onHost(t, "ip link add stray type bridge")
	onHost(t, "ip link set stray alias 'mini network lost of "+m.root+"/networks'")
	onHost(t, "ip link add stray2 type veth peer name stray3")
	onHost(t, "ip link set stray2 master mini0")
	onHost(t, "nft delete chain ip mini $(nft list chains | grep -o 'sum-[^ ]*')")
	root := filepath.Join(m.state, lastDigits, "rootfs")
	require.NoError(t, os.MkdirAll(root, 0o700))
	require.NoError(t, unix.Mount("tmpfs", root, "tmpfs", 0, ""))
	require.NoError(t, os.Mkdir(filepath.Join(m.state, lastDigits+".gone"), 0o700))
	for _, dir := range []string{
		filepath.Join(m.root, "containers", lost), filepath.Join(m.state, lost),
		filepath.Join(m.state, "minirun", lost),
	} {
		require.NoError(t, os.RemoveAll(dir))
	}

	r := m.do("system", "check")
	things := []string{
		"mini-" + lastDigits + " is of no container", "(ended) has something left",
		"stray is of no", "stray2 is of no", "the rules of the table mini", "rootfs something",
		lastDigits + " is of no container that runs", lastDigits + ".gone was not removed wholly",
		"is the monitor of container " + lost[:12], "the name ",
	}
	for _, thing := range things {
		assert.Contains(t, r.out, thing)
	}
	assert.Equal(t, len(things), strings.Count(r.out, "\n"), r.out)
	r = m.do("system", "check", "--repair")
	assert.Zero(t, r.status, r.out+r.err)
	assert.Equal(t, len(things), strings.Count(r.out, "mended: "), r.out)
	assert.Empty(t, m.ok("system", "check"))
	for _, id := range []string{lastDigits, ended, lost} {
		assert.Empty(t, cgroupsOf(t, id))
	}
	assert.NotEmpty(t, cgroupsOf(t, web))
	assert.Contains(t, m.ok("exec", "web", "ip", "addr"), "eth0")
}

// onHost has a shell do something on the throw-away host.
func onHost(t *testing.T, command string) {
	t.Helper()
	said, err := exec.Command("sh", "-ec", command).CombinedOutput()
	require.NoError(t, err, fmt.Sprint(command, ": ", string(said)))
}
