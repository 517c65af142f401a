package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"lab/internal/check"
	"lab/internal/check/checktest"
	"lab/internal/journal"
	"lab/internal/lesson/lessontest"
	"lab/internal/need"
	"lab/internal/sandbox"
	"lab/internal/scripttest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// TestMain runs the tests in a throw-away host.
func TestMain(m *testing.M) { os.Exit(sandbox.Run(m)) }

// TestChecks judges the program from outside, by kernel state.
func TestChecks(t *testing.T) { checktest.Run(t, program) }

// TestBadInput gives it what it has to refuse, in one line.
func TestBadInput(t *testing.T) { scripttest.Run(t, program) }

// TestInterrupt ends it at any moment.
func TestInterrupt(t *testing.T) { scripttest.Interrupt(t, program) }

// TestLesson types what the README says and compares.
func TestLesson(t *testing.T) { lessontest.Run(t, program) }

// unchanged lets a test fail if the host's network is not as it was.
func unchanged(t *testing.T) {
	t.Helper()
	before, err := journal.Take()
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.Empty(t, journal.Settle(limited(t), before))
	})
}

// ping runs a container that pings an address and returns what became of it.
func ping(t *testing.T, s *check.Subject, to string) check.Result {
	t.Helper()
	r, err := s.Run(t.Context(), "", []string{"-rootfs", s.Root},
		"/bin/ping", "-c", "1", "-W", "5", to)
	require.NoError(t, err)
	return r
}

// addBridge gives the host a bridge of somebody else.
func addBridge(t *testing.T, name, address string) {
	t.Helper()
	attrs := netlink.NewLinkAttrs()
	attrs.Name = name
	bridge := &netlink.Bridge{LinkAttrs: attrs}
	require.NoError(t, netlink.LinkAdd(bridge))
	t.Cleanup(func() { assert.NoError(t, netlink.LinkDel(bridge)) })
	if address != "" {
		addr, err := netlink.ParseAddr(address)
		require.NoError(t, err)
		require.NoError(t, netlink.AddrAdd(bridge, addr))
	}
	require.NoError(t, netlink.LinkSetUp(bridge))
}

// A subnet that a route of the host leads into is not taken: another one is,
// and said. One that was asked for is refused.
func TestSubnetTaken(t *testing.T) {
	need.Net(t)
	s := checktest.Subject(t, program)
	unchanged(t)
	addBridge(t, "other0", "10.44.7.1/16")

	r := ping(t, s, "10.45.0.1")
	assert.Equal(t, 0, r.Status, r.Stdout)
	assert.Equal(t, "04-net: 10.44.0.0/24 is taken by a route of this host; "+
		"using 10.45.0.0/24\n", r.Stderr)

	r, err := s.Run(t.Context(), "", []string{"-ip", "10.44.0.2/24"}, "true")
	require.NoError(t, err)
	assert.Equal(t, 125, r.Status)
	assert.Equal(t, "04-net: -ip 10.44.0.2/24: "+
		"this host has a route to 10.44.0.0/16\n", r.Stderr)
}

// TestHostHasEth0 runs where the name that the container's link gets is taken.
func TestHostHasEth0(t *testing.T) {
	need.Net(t)
	s := checktest.Subject(t, program)
	unchanged(t)
	addBridge(t, "eth0", "")
	r := ping(t, s, "10.44.0.1")
	assert.Equal(t, 0, r.Status, r.Stdout)
	assert.Empty(t, r.Stderr)
}

// A lab0 that somebody else made is left alone.
func TestForeignBridge(t *testing.T) {
	need.Net(t)
	s := checktest.Subject(t, program)
	unchanged(t)
	addBridge(t, bridgeName, "")
	r, err := s.Run(t.Context(), "", nil, "true")
	require.NoError(t, err)
	assert.Equal(t, 125, r.Status)
	assert.Equal(t, "04-net: make bridge lab0: file exists\n",
		r.Stderr)
}

// Where the host's settings cannot be changed there is no way out: that is
// said in one line, and the bridge works.
func TestNoForwarding(t *testing.T) {
	need.Net(t)
	s := checktest.Subject(t, program)
	unchanged(t)
	const sys = "/proc/sys"
	require.NoError(t, unix.Mount(sys, sys, "", unix.MS_BIND, ""))
	defer func() { assert.NoError(t, unix.Unmount(sys, unix.MNT_DETACH)) }()
	readonly := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	require.NoError(t, unix.MountSetattr(unix.AT_FDCWD, sys, 0, readonly))

	r := ping(t, s, "10.44.0.1")
	assert.Equal(t, 0, r.Status, r.Stdout)
	assert.Equal(t, "04-net: no way out of this host: ip_forward=1: "+
		"read-only file system\n", r.Stderr)
}

// Without a right over the host's network, as an ordinary user in a user
// namespace, there is the loopback and a line that says so.
func TestNoBridge(t *testing.T) {
	need.Net(t)
	s := checktest.Subject(t, program)
	unchanged(t)
	cmd := exec.CommandContext(t.Context(), s.Program, "run", s.Root+"/bin/sh",
		"-c", "ip -o link; exit 9")
	cmd.Env = append(os.Environ(), "PATH="+s.Root+"/bin")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: 0, Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: 0, Size: 1}},
	}
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	require.Error(t, cmd.Run())
	assert.Equal(t, 9, cmd.ProcessState.ExitCode())
	assert.Equal(t, "04-net: no bridge on this host: operation not permitted; "+
		"the container has lo only\n", errOut.String())
	assert.Contains(t, out.String(), "lo: <LOOPBACK,UP")
	assert.NotContains(t, out.String(), "eth0")
}

// Twenty containers start at once and end at once: each has the network at
// its first packet, and the last one leaves nothing.
func TestManyAtOnce(t *testing.T) {
	need.Net(t)
	s := checktest.Subject(t, program)
	unchanged(t)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			r, err := s.Run(t.Context(), "", []string{"-rootfs", s.Root},
				"/bin/ping", "-c", "1", "-W", "5", "10.44.0.1")
			if err != nil { // require is not for other goroutines
				t.Error(err)
				return
			}
			assert.Equal(t, 0, r.Status, r.Stdout+r.Stderr)
			assert.Empty(t, r.Stderr)
		})
	}
	all.Wait()
}

// Whenever the program is killed, what it cannot undo the next run does.
func TestKilled(t *testing.T) {
	need.Net(t)
	s := checktest.Subject(t, program)
	unchanged(t)
	for range 20 {
		after := time.Duration(s.Rand.IntN(60_000)) * time.Microsecond
		h, err := s.Start(t.Context(), nil, "/bin/sleep", "20")
		require.NoError(t, err)
		<-time.After(after)
		require.NoError(t, h.Signal(unix.SIGKILL))
		_, err = h.Wait(t.Context())
		require.NoError(t, err)
	}
	r, err := s.Run(t.Context(), "", nil, "true")
	require.NoError(t, err)
	assert.Equal(t, 0, r.Status, r.Stderr)
}

// The host's name servers are the container's, but for those on the host's
// loopback.
func TestReachable(t *testing.T) {
	tests := []struct {
		name, text, kept string
		ok               bool
	}{
		{
			"one that is outside", "nameserver 192.0.2.53\n",
			"nameserver 192.0.2.53\n", true,
		},
		{
			"the loopback's goes, the rest stays",
			"nameserver 127.0.0.53\nnameserver 2001:db8::53\nsearch x\n",
			"nameserver 2001:db8::53\nsearch x\n", true,
		},
		{
			"none is left", "nameserver ::1\noptions edns0\n",
			"options edns0\n", false,
		},
		{
			"a comment is no server", "# nameserver 192.0.2.53\n",
			"# nameserver 192.0.2.53\n", false,
		},
		{"no address", "nameserver one\nnameserver\n", "nameserver\n", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			kept, ok := reachable(tt.text)
			assert.Equal(t, tt.kept, kept)
			assert.Equal(t, tt.ok, ok)
		})
	}
}

// The container sees the host's name servers, and neither the root file
// system nor the host has another file.
func TestNameservers(t *testing.T) {
	need.Net(t)
	s := checktest.Subject(t, program)
	want := nameservers()
	if want == "" {
		t.Skip("need nameserver: this host names none that is reachable")
	}
	r, err := s.Run(t.Context(), "", []string{"-rootfs", s.Root},
		"/bin/cat", "/etc/resolv.conf")
	require.NoError(t, err)
	assert.Equal(t, want, r.Stdout, r.Stderr)
	inRoot, err := os.ReadFile(s.Root + "/etc/resolv.conf")
	require.NoError(t, err)
	assert.Empty(t, inRoot)
	entries, err := os.ReadDir(s.Root + "/proc")
	require.NoError(t, err)
	assert.Empty(t, entries, fmt.Sprint(entries))
}
