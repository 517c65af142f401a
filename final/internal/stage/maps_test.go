//go:build linux

package stage

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"lab/internal/need"
)

// mapOf reads a map of a process as it is outside of all user namespaces.
func mapOf(t *testing.T, pid int, file string) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	require.NoError(t, err)
	return strings.Join(strings.Fields(string(text)), " ")
}

// Root writes what maps it likes; the program is their root.
func TestMaps(t *testing.T) {
	need.RealRoot(t)
	need.Sandbox(t)
	nothingLeft(t)
	s := mustStart(t, Child{
		Args: []string{"hold"}, New: unix.CLONE_NEWUSER | unix.CLONE_NEWPID,
		UIDs: []specs.LinuxIDMapping{
			{HostID: 700000, Size: 1000}, {ContainerID: 2000, HostID: 5, Size: 1},
		},
		GIDs: []specs.LinuxIDMapping{{HostID: 800000, Size: 1}},
	})
	require.Equal(t, "0 700000 1000 2000 5 1", mapOf(t, s.pid, "uid_map"))
	require.Equal(t, "0 800000 1", mapOf(t, s.pid, "gid_map"))
	require.Equal(t, "allow", mapOf(t, s.pid, "setgroups"))
	require.Zero(t, s.UID)
	require.Zero(t, s.GID)
	require.Equal(t, everything(t), s.Status["CapEff"])
}

// An ordinary user maps the own ids without help, and gives up setgroups(2).
func TestOwnMap(t *testing.T) {
	need.Sandbox(t)
	nothingLeft(t)
	s, err := asOwner(t, unix.CLONE_NEWUSER|unix.CLONE_NEWPID)
	require.NoError(t, err)
	require.Equal(t, everything(t), s.Container.Status["CapEff"])
}

// In a user namespace that has no root the program keeps its capabilities nevertheless.
func TestMapWithoutRoot(t *testing.T) {
	need.Sandbox(t)
	nothingLeft(t)
	s := mustStart(t, Child{
		Args: []string{"hold"}, New: unix.CLONE_NEWUSER | unix.CLONE_NEWPID,
		UIDs: []specs.LinuxIDMapping{{ContainerID: 1234, HostID: uint32(os.Geteuid()), Size: 1}},
		GIDs: []specs.LinuxIDMapping{{ContainerID: 1234, HostID: uint32(os.Getegid()), Size: 1}},
	})
	require.Equal(t, 1234, s.UID)
	require.Equal(t, everything(t), s.Status["CapEff"])
}

// The setuid helpers map what root has set aside for an ordinary user.
func TestHelpersMap(t *testing.T) {
	need.RealRoot(t)
	need.Sandbox(t)
	need.Tool(t, "newuidmap", "uidmap")
	nothingLeft(t)
	for file, text := range map[string]string{
		"/etc/passwd": "labmaps:x:54321:54321::/:/bin/sh\n",
		"/etc/subuid": "labmaps:300000:1000\n", "/etc/subgid": "labmaps:300000:1000\n",
	} {
		over := filepath.Join(t.TempDir(), "file")
		old, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(over, append(old, text...), 0o644))
		require.NoError(t, unix.Mount(over, file, "", unix.MS_BIND, ""))
		t.Cleanup(func() { require.NoError(t, unix.Unmount(file, unix.MNT_DETACH)) })
	}
	maps := []specs.LinuxIDMapping{
		{ContainerID: 0, HostID: 54321, Size: 1}, {ContainerID: 1, HostID: 300000, Size: 1000},
	}
	s, err := asOwner(t, unix.CLONE_NEWUSER|all, "MAPS="+asJSON(t, maps))
	require.NoError(t, err)
	require.Equal(t, everything(t), s.Joined.Status["CapEff"])
	want := "0 54321 1 1 300000 1000"
	require.Equal(t, want, strings.Join(strings.Fields(s.Container.UIDMap), " "))

	maps[1].HostID = 400000 // somebody else's
	_, err = asOwner(t, unix.CLONE_NEWUSER|all, "MAPS="+asJSON(t, maps))
	require.ErrorContains(t, err, "newgidmap")
	require.ErrorContains(t, err, "0 54321 1 1 400000 1000: newgidmap: ")
}

func asJSON(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	require.NoError(t, err)
	return string(text)
}

// Where no helper is installed the message says so.
func TestNoHelper(t *testing.T) {
	need.Sandbox(t)
	maps := asJSON(t, []specs.LinuxIDMapping{{ContainerID: 0, HostID: 1, Size: 65536}})
	_, err := asOwner(t, unix.CLONE_NEWUSER|all, "MAPS="+maps, "PATH=/nowhere")
	require.ErrorContains(t, err, `map "0 1 65536": write /proc/`)
	require.ErrorContains(t, err, "operation not permitted, and there is no newgidmap on PATH")
}

// If the runtime is killed while a process waits for its maps, that process ends and
// runs nothing.
func TestRuntimeDiesWhileTheChildWaits(t *testing.T) {
	need.Sandbox(t)
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o777))
	// A helper that tells for whom it is called and does not end.
	const script = "#!/bin/sh\ncd %s && echo $1 >part && mv part pid && read forever <fifo\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "newgidmap"),
		fmt.Appendf(nil, script, dir), 0o755))
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755))
	fifo := filepath.Join(dir, "fifo")
	require.NoError(t, unix.Mkfifo(fifo, 0o666))
	require.NoError(t, os.Chmod(fifo, 0o666))

	maps := asJSON(t, []specs.LinuxIDMapping{{ContainerID: 0, HostID: 1, Size: 65536}})
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Args = []string{"owner"}
	cmd.Env = append(os.Environ(), fmt.Sprint("FLAGS=", unix.CLONE_NEWUSER|unix.CLONE_NEWPID),
		"MAPS="+maps, "PATH="+dir+":"+os.Getenv("PATH"))
	cmd.SysProcAttr = somebody()
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		file, err := os.OpenFile(fifo, os.O_WRONLY, 0) // the helper ends with this
		require.NoError(t, errors.Join(err, file.Close()))
	})

	var first int
	require.Eventually(t, func() bool {
		text, err := os.ReadFile(filepath.Join(dir, "pid"))
		if err != nil {
			return false
		}
		_, err = fmt.Sscan(string(text), &first)
		return err == nil
	}, 2*time.Minute, time.Millisecond)
	waiting, err := Pidfd(first)
	require.NoError(t, err)
	defer waiting.Close()

	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait() // it was killed
	ended := []unix.PollFd{{Fd: int32(waiting.Fd()), Events: unix.POLLIN}}
	n, err := unix.Poll(ended, 10_000)
	require.NoError(t, err)
	require.Equal(t, 1, n, "the first process still waits")
}

// somebody is an ordinary user, where one can be: see asOwner.
func somebody() *syscall.SysProcAttr {
	if !need.Look().RealRoot {
		return nil
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 54321, Gid: 54321}}
}
