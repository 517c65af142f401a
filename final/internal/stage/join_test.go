//go:build linux

package stage

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"lab/internal/need"
)

// all are the namespaces of a container but user and time.
const all = unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC |
	unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP

// own maps the user who runs this to root.
func own(id int) []specs.LinuxIDMapping {
	return []specs.LinuxIDMapping{{ContainerID: 0, HostID: uint32(id), Size: 1}}
}

// scenario is a container and a program that joins it, as two runs of a runtime would
// make them.
type scenario struct{ Us, Container, Joined report }

func play(flags uintptr) (s scenario, err error) {
	if s.Us, err = look(); err != nil {
		return s, err
	}
	c := Child{Args: []string{"hold"}, New: flags}
	if flags&unix.CLONE_NEWUSER != 0 {
		c.UIDs, c.GIDs = own(os.Geteuid()), own(os.Getegid())
		if text := os.Getenv("MAPS"); text != "" {
			if err := json.Unmarshal([]byte(text), &c.UIDs); err != nil {
				return s, err
			}
			c.GIDs = c.UIDs
		}
	}
	if flags&unix.CLONE_NEWTIME != 0 {
		c.Offsets = map[string]specs.LinuxTimeOffset{"boottime": {Secs: 100_000}}
	}
	container, err := start(c)
	if err != nil {
		return s, fmt.Errorf("container: %w", err)
	}
	defer func() { err = errors.Join(err, container.end()) }()
	target, err := Pidfd(container.pid)
	if err != nil {
		return s, err
	}
	defer target.Close()
	join, err := Apart(container.pid)
	if err != nil {
		return s, err
	}
	if join != flags {
		return s, fmt.Errorf("apart are %s, but %s were made", FlagNames(join), FlagNames(flags))
	}
	joined, err := start(Child{Args: []string{"probe"}, Target: target, Join: join})
	if err != nil {
		return s, err
	}
	s.Container, s.Joined = container.report, joined.report
	return s, joined.end()
}

// check holds what is the same in all cases.
func (s scenario) check(t *testing.T, flags uintptr) {
	t.Helper()
	require.Equal(t, s.Container.Namespaces, s.Joined.Namespaces)
	for _, k := range kinds {
		same := s.Us.Namespaces[k.file] == s.Joined.Namespaces[k.file]
		require.Equal(t, flags&k.flag == 0, same, k.name)
	}
	require.Equal(t, 1, s.Container.PID)
	require.Greater(t, s.Joined.PID, 1)
	require.Zero(t, s.Joined.Parent, "the parent is outside")
	require.Zero(t, s.Joined.UID)
	require.Zero(t, s.Joined.GID)
	require.Len(t, s.Joined.Files, 3, "0, 1 and 2: %v", s.Joined.Files)
	require.Equal(t, s.Us.Status["SigBlk"], s.Joined.Status["SigBlk"])
	require.Equal(t, s.Us.Status["SigIgn"], s.Joined.Status["SigIgn"])
}

// everything are the capabilities of a user namespace's root.
func everything(t *testing.T) string {
	t.Helper()
	last, err := os.ReadFile("/proc/sys/kernel/cap_last_cap")
	require.NoError(t, err)
	var n int
	_, err = fmt.Sscan(string(last), &n)
	require.NoError(t, err)
	return fmt.Sprintf("%016x", uint64(1)<<(n+1)-1)
}

// Root, of the machine or of a user namespace around, joins containers with and without
// a user namespace of their own.
func TestJoinPrivileged(t *testing.T) {
	need.Sandbox(t)
	nothingLeft(t)
	for _, flags := range []uintptr{
		all, all | unix.CLONE_NEWTIME, all | unix.CLONE_NEWUSER,
		all | unix.CLONE_NEWUSER | unix.CLONE_NEWTIME,
	} {
		t.Run(FlagNames(flags), func(t *testing.T) {
			s, err := play(flags)
			require.NoError(t, err)
			s.check(t, flags)
			if flags&unix.CLONE_NEWUSER != 0 {
				require.Equal(t, everything(t), s.Joined.Status["CapEff"])
			}
		})
	}
}

// An ordinary user makes a container with a user namespace and joins it again, and
// has all capabilities in there.
func TestJoinUnprivileged(t *testing.T) {
	need.Sandbox(t)
	nothingLeft(t)
	for _, flags := range []uintptr{
		all | unix.CLONE_NEWUSER, all | unix.CLONE_NEWUSER | unix.CLONE_NEWTIME,
	} {
		t.Run(FlagNames(flags), func(t *testing.T) {
			s, err := asOwner(t, flags)
			require.NoError(t, err)
			require.Equal(t, "0000000000000000", s.Us.Status["CapEff"])
			s.check(t, flags)
			require.Equal(t, everything(t), s.Joined.Status["CapEff"])
		})
	}
}

// Without a user namespace an ordinary user makes no container and joins none; the
// message names the call.
func TestJoinForbidden(t *testing.T) {
	need.Sandbox(t)
	nothingLeft(t)
	_, err := asOwner(t, all)
	require.ErrorContains(t, err, "container: clone with CLONE_NEWNS|CLONE_NEWPID|CLONE_NEWNET|"+
		"CLONE_NEWIPC|CLONE_NEWUTS|CLONE_NEWCGROUP: operation not permitted")

	roots := mustStart(t, Child{Args: []string{"hold"}, New: all})
	_, err = asOwner(t, 0, fmt.Sprint("TARGET=", roots.pid))
	require.ErrorContains(t, err, "join the namespaces CLONE_NEWNS|CLONE_NEWPID|")
	require.ErrorContains(t, err, "operation not permitted")
}

// asOwner has a process without capabilities play a scenario.
func asOwner(t *testing.T, flags uintptr, env ...string) (s scenario, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Args = []string{"owner"}
	cmd.Env = append(append(os.Environ(), fmt.Sprint("FLAGS=", flags)), env...)
	cmd.SysProcAttr = somebody()
	out, err := cmd.Output()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		return s, errors.New(string(failed.Stderr))
	}
	require.NoError(t, err)
	return s, json.Unmarshal(out, &s)
}

// owner plays a scenario without capabilities: as another user, or, where there is no
// other, as one who has given them up.
func owner() error {
	runtime.LockOSThread()
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var empty [2]unix.CapUserData
	if err := unix.Capset(&head, &empty[0]); err != nil {
		return err
	}
	var flags uintptr
	if _, err := fmt.Sscan(os.Getenv("FLAGS"), &flags); err != nil {
		return err
	}
	if target := os.Getenv("TARGET"); target != "" {
		return joinForeign(target)
	}
	s, err := play(flags)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(s)
}

// joinForeign joins somebody else's process: what /proc does not tell is guessed.
func joinForeign(target string) error {
	var pid int
	if _, err := fmt.Sscan(target, &pid); err != nil {
		return err
	}
	file, err := Pidfd(pid)
	if err != nil {
		return err
	}
	_, err = start(Child{Args: []string{"probe"}, Target: file, Join: all})
	return err
}
