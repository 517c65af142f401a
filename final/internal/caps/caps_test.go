//go:build linux

package caps

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"lab/internal/need"
	"lab/internal/sandbox"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// What a copy of this test binary does is chosen by its argv[0].
func TestMain(m *testing.M) {
	var err error
	switch os.Args[0] {
	case "confined":
		err = becomeProbe()
	case "probe":
		err = probe()
	default:
		os.Exit(sandbox.Run(m))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// confined is who a program is to be.
type confined struct {
	Sets Sets
	UID  int
	Lose bool // all capabilities, before anything else
}

// becomeProbe confines itself and becomes a program that tells what is left.
func becomeProbe() error {
	runtime.LockOSThread()
	var c confined
	if err := json.Unmarshal([]byte(os.Getenv("CONFINED")), &c); err != nil {
		return err
	}
	if c.Lose {
		if err := (Sets{}).Apply(); err != nil {
			return err
		}
	}
	if err := c.Sets.Bound(); err != nil {
		return err
	}
	// The calls of package syscall would change all threads.
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(c.UID), uintptr(c.UID),
		uintptr(c.UID)); errno != 0 {
		return fmt.Errorf("setresuid %d: %w", c.UID, errno)
	}
	if err := c.Sets.Apply(); err != nil {
		return err
	}
	got, err := get()
	if err == nil && got != c.Sets {
		err = fmt.Errorf("got %+v instead of %+v", got, c.Sets)
	}
	if err != nil {
		return err
	}
	return syscall.Exec("/proc/self/exe", []string{"probe"}, os.Environ())
}

// probe tells the program's sets.
func probe() error {
	sets, err := get()
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(sets)
}

// confine runs a program and returns its sets.
func confine(t *testing.T, c confined) (Sets, error) {
	t.Helper()
	text, err := json.Marshal(c)
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Args = []string{"confined"}
	cmd.Env = append(os.Environ(), "CONFINED="+string(text))
	out, err := cmd.Output()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		return Sets{}, errors.New(strings.TrimSpace(string(failed.Stderr)))
	}
	require.NoError(t, err)
	var sets Sets
	require.NoError(t, json.Unmarshal(out, &sets))
	return sets, nil
}

// some is a set of two.
func some(t *testing.T) Set {
	t.Helper()
	set, unknown := Of("CAP_CHOWN", "CAP_NET_BIND_SERVICE")
	require.Empty(t, unknown)
	return set
}

// Root keeps across execve(2) what is in the bounding set.
func TestRoot(t *testing.T) {
	need.Root(t)
	set := some(t)
	got, err := confine(t, confined{Sets: Sets{Bounding: set, Effective: set, Permitted: set}})
	require.NoError(t, err)
	require.Equal(t, Sets{Bounding: set, Effective: set, Permitted: set}, got)
	got, err = confine(t, confined{})
	require.NoError(t, err)
	require.Zero(t, got)
}

// Any other user keeps the ambient set alone.
func TestOtherUser(t *testing.T) {
	need.RealRoot(t)
	chown, _ := Of("CAP_CHOWN")
	sets := Sets{
		Bounding: some(t), Effective: some(t), Permitted: some(t), Inheritable: some(t),
		Ambient: chown,
	}
	got, err := confine(t, confined{Sets: sets, UID: 54321})
	require.NoError(t, err)
	require.Equal(t, Sets{
		Bounding: some(t), Effective: chown, Permitted: chown, Inheritable: some(t),
		Ambient: chown,
	}, got)
	sets.Ambient = 0
	got, err = confine(t, confined{Sets: sets, UID: 54321})
	require.NoError(t, err)
	require.Zero(t, got.Effective)
	require.Equal(t, some(t), got.Inheritable)
}

// What is not there cannot be given, and the error tells the call.
func TestNotThere(t *testing.T) {
	need.Root(t)
	set := some(t)
	_, err := confine(t, confined{Lose: true, Sets: Sets{Bounding: set}})
	require.EqualError(t, err,
		"drop CAP_DAC_OVERRIDE from the bounding set: operation not permitted")
	known, err := Known()
	require.NoError(t, err)
	_, err = confine(t, confined{Lose: true, Sets: Sets{Bounding: known, Permitted: set}})
	require.EqualError(t, err, "capset effective=0000000000000000 permitted=0000000000000401 "+
		"inheritable=0000000000000000: operation not permitted")
	_, err = confine(t, confined{Sets: Sets{Bounding: set, Permitted: set, Ambient: set}})
	require.EqualError(t, err, "make CAP_CHOWN ambient: operation not permitted")
}

// Names and sets are two ways to write the same; what is no name is told.
func TestNames(t *testing.T) {
	all, unknown := Of(All()...)
	require.Empty(t, unknown)
	require.Equal(t, All(), all.Names())
	require.Len(t, All(), unix.CAP_LAST_CAP+1)
	set, unknown := Of("CAP_SYS_ADMIN", "CAP_EVERYTHING", "chown")
	require.Equal(t, []string{"CAP_EVERYTHING", "chown"}, unknown)
	require.Equal(t, Set(1)<<unix.CAP_SYS_ADMIN, set)
	require.Equal(t, set, all&set)
	require.NotEqual(t, all, all&set)
	require.Equal(t, []string{"CAP_CHOWN", "CAP_60"}, Set(1|1<<60).Names())
}

func TestFromSpec(t *testing.T) {
	sets, ignored := FromSpec(&specs.LinuxCapabilities{
		Bounding: []string{"CAP_CHOWN"}, Effective: []string{"CAP_DAC_OVERRIDE"},
		Permitted:   []string{"CAP_DAC_OVERRIDE", "CAP_KILL", "CAP_NEW"},
		Inheritable: []string{"CAP_KILL", "CAP_FOWNER"}, Ambient: []string{"CAP_KILL"},
	})
	require.Equal(t, Sets{
		Bounding: 1, Effective: 2, Permitted: 2 | 1<<5, Inheritable: 8 | 1<<5, Ambient: 1 << 5,
	}, sets)
	require.Equal(t, []string{"CAP_NEW"}, ignored)
	require.Equal(t, Sets{Effective: 2, Permitted: 2}, sets.And(2))
	sets, ignored = FromSpec(nil)
	require.Zero(t, sets)
	require.Empty(t, ignored)
}

// What no kernel grants is left out and told, but for ambient capabilities that are not
// inheritable: runc's own example has some, and so has what buildah writes.
func TestImpossible(t *testing.T) {
	sets, ignored := FromSpec(&specs.LinuxCapabilities{
		Effective: []string{"CAP_CHOWN", "CAP_KILL"}, Permitted: []string{"CAP_KILL"},
		Ambient: []string{"CAP_KILL"},
	})
	require.Equal(t, Sets{Effective: 1 << 5, Permitted: 1 << 5}, sets)
	require.Equal(t, []string{"CAP_CHOWN"}, ignored)
}

// Get says what the kernel shows of this thread.
//
//	CapInh:	0000000000000000
func TestGet(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	sets, err := get()
	require.NoError(t, err)
	status, err := os.ReadFile("/proc/thread-self/status")
	require.NoError(t, err)
	for name, set := range map[string]Set{
		"CapInh": sets.Inheritable, "CapPrm": sets.Permitted, "CapEff": sets.Effective,
		"CapBnd": sets.Bounding, "CapAmb": sets.Ambient,
	} {
		require.Contains(t, string(status), fmt.Sprintf("%s:\t%s\n", name, set))
	}
}

// get reads the five sets of the calling thread.
func get() (Sets, error) {
	var s Sets
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var halves [2]unix.CapUserData
	if err := unix.Capget(&head, &halves[0]); err != nil {
		return s, fmt.Errorf("capget: %w", err)
	}
	for i, half := range halves {
		s.Effective |= Set(half.Effective) << (32 * i)
		s.Permitted |= Set(half.Permitted) << (32 * i)
		s.Inheritable |= Set(half.Inheritable) << (32 * i)
	}
	for number := range uintptr(64) {
		// EINVAL is the end: the kernel has no such capability.
		s.Bounding |= bit(number, unix.PR_CAPBSET_READ, number, 0)
		s.Ambient |= bit(number, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_IS_SET, number)
	}
	return s, nil
}

// bit is the set of the capability if prctl(2) says 1 on it.
func bit(number uintptr, option int, a, b uintptr) Set {
	if has, err := unix.PrctlRetInt(option, a, b, 0, 0); err != nil || has == 0 {
		return 0
	}
	return 1 << number
}
