//go:build linux

package stage

import (
	"fmt"
	"os"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"lab/internal/need"
)

// open opens namespaces of a process by their paths, as linux.namespaces[].path does.
func open(t *testing.T, pid int, flags ...uintptr) []Namespace {
	t.Helper()
	var list []Namespace
	for _, flag := range flags {
		for _, k := range kinds {
			if k.flag != flag {
				continue
			}
			file, err := os.Open(fmt.Sprintf("/proc/%d/ns/%s", pid, k.file))
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, file.Close()) })
			list = append(list, Namespace{flag, file})
		}
	}
	return list
}

// A program joins some namespaces by path and gets others of its own.
func TestJoinByPath(t *testing.T) {
	need.Sandbox(t)
	nothingLeft(t)
	pod := mustStart(t, Child{Args: []string{"hold"}, New: all})
	s := mustStart(t, Child{
		Args: []string{"hold"}, New: unix.CLONE_NEWPID | unix.CLONE_NEWNS,
		Namespaces: open(t, pod.pid, unix.CLONE_NEWNET, unix.CLONE_NEWIPC, unix.CLONE_NEWUTS),
	})
	for _, file := range []string{"net", "ipc", "uts"} {
		require.Equal(t, pod.Namespaces[file], s.Namespaces[file])
	}
	for _, file := range []string{"pid", "mnt"} {
		require.NotEqual(t, pod.Namespaces[file], s.Namespaces[file])
	}
	require.Equal(t, 1, s.PID)
}

// A user namespace is joined together with what belongs to it: only with the rights
// in it can they be. What belongs to the outside is joined before.
func TestJoinUserNamespaceByPath(t *testing.T) {
	need.Sandbox(t)
	nothingLeft(t)
	pod := mustStart(t, Child{
		Args: []string{"hold"}, New: all | unix.CLONE_NEWUSER,
		UIDs: own(os.Geteuid()), GIDs: own(os.Getegid()),
	})
	outside := mustStart(t, Child{Args: []string{"hold"}, New: unix.CLONE_NEWUTS})
	// In any order.
	paths := open(t, pod.pid, unix.CLONE_NEWNET, unix.CLONE_NEWUSER, unix.CLONE_NEWIPC)
	paths = append(paths, open(t, outside.pid, unix.CLONE_NEWUTS)...)
	s := mustStart(t, Child{
		Args: []string{"hold"}, New: unix.CLONE_NEWPID | unix.CLONE_NEWNS, Namespaces: paths,
	})
	for _, file := range []string{"user", "net", "ipc"} {
		require.Equal(t, pod.Namespaces[file], s.Namespaces[file])
	}
	require.Equal(t, outside.Namespaces["uts"], s.Namespaces["uts"])
	require.Zero(t, s.UID)
	require.Equal(t, everything(t), s.Status["CapEff"])
}

// A new user namespace beside a network that belongs to the outside: that is joined
// with the rights that the program does not have any longer.
func TestNewUserNamespaceInAnOldNetwork(t *testing.T) {
	need.Sandbox(t)
	nothingLeft(t)
	pod := mustStart(t, Child{Args: []string{"hold"}, New: unix.CLONE_NEWNET})
	s := mustStart(t, Child{
		Args: []string{"hold"}, New: unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNS,
		UIDs: own(os.Geteuid()), GIDs: own(os.Getegid()),
		Namespaces: open(t, pod.pid, unix.CLONE_NEWNET),
	})
	require.Equal(t, pod.Namespaces["net"], s.Namespaces["net"])
	require.NotEqual(t, pod.Namespaces["user"], s.Namespaces["user"])
	require.Equal(t, 1, s.PID)

	// Whoever joins it comes into both, though one has no power over the other.
	target, err := Pidfd(s.pid)
	require.NoError(t, err)
	defer target.Close()
	join, err := Apart(s.pid)
	require.NoError(t, err)
	joined := mustStart(t, Child{Args: []string{"hold"}, Target: target, Join: join})
	require.Equal(t, s.Namespaces, joined.Namespaces)
}

// One's own namespaces are left out: of the user namespace the kernel would refuse it.
func TestJoinOwn(t *testing.T) {
	need.Sandbox(t)
	nothingLeft(t)
	us, err := look()
	require.NoError(t, err)
	s := mustStart(t, Child{
		Args:       []string{"hold"},
		Namespaces: open(t, os.Getpid(), unix.CLONE_NEWUSER, unix.CLONE_NEWNS, unix.CLONE_NEWNET),
	})
	require.Equal(t, us.Namespaces, s.Namespaces)
	require.Equal(t, os.Getpid(), s.Parent)
}

// The clocks of a new time namespace begin elsewhere, also where only the user namespace
// gives the right to that; whoever joins sees the same.
func TestTimeOffsets(t *testing.T) {
	need.Sandbox(t)
	nothingLeft(t)
	const later, earlier = 1_000_000, -10
	for _, flags := range []uintptr{
		unix.CLONE_NEWTIME, unix.CLONE_NEWTIME | unix.CLONE_NEWUSER | unix.CLONE_NEWPID,
	} {
		t.Run(FlagNames(flags), func(t *testing.T) {
			c := Child{Args: []string{"hold"}, New: flags}
			c.Offsets = map[string]specs.LinuxTimeOffset{
				"monotonic": {Secs: later}, "boottime": {Secs: earlier},
			}
			if flags&unix.CLONE_NEWUSER != 0 {
				c.UIDs, c.GIDs = own(os.Geteuid()), own(os.Getegid())
			}
			s := mustStart(t, c)
			require.InDelta(t, clock(unix.CLOCK_MONOTONIC)+later, s.Monotonic, 60)
			require.InDelta(t, clock(unix.CLOCK_BOOTTIME)+earlier, s.Boottime, 60)

			kinds := []uintptr{unix.CLONE_NEWTIME}
			if flags&unix.CLONE_NEWUSER != 0 {
				kinds = append(kinds, unix.CLONE_NEWUSER)
			}
			joined := mustStart(t, Child{
				Args: []string{"hold"}, Namespaces: open(t, s.pid, kinds...),
			})
			require.Equal(t, s.Namespaces["time"], joined.Namespaces["time"])
			require.InDelta(t, s.Monotonic, joined.Monotonic, 60)
		})
	}
}

// An offset that the kernel refuses is named, and so is a clock that has none.
func TestWrongOffsets(t *testing.T) {
	need.Sandbox(t)
	nothingLeft(t)
	for clock, secs := range map[string]int64{"monotonic": -1 << 40, "realtime": 1} {
		_, err := start(Child{
			Args: []string{"probe"}, New: unix.CLONE_NEWTIME,
			Offsets: map[string]specs.LinuxTimeOffset{clock: {Secs: secs}},
		})
		want := fmt.Sprintf(`time offsets "%s %d 0": write /proc/`, clock, secs)
		require.ErrorContains(t, err, want)
	}
}
