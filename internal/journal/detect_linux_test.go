package journal_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"lab/internal/journal"
	"lab/internal/need"
	"lab/internal/sandbox"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// takeVariable makes this binary print a snapshot instead of testing.
const takeVariable = "JOURNAL_TAKE"

func TestMain(m *testing.M) {
	if os.Getenv(takeVariable) != "" {
		snapshot, err := journal.Take()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		_ = json.NewEncoder(os.Stdout).Encode(snapshot) // a short line is the test's failure
		os.Exit(0)
	}
	os.Exit(sandbox.Run(m))
}

// leak is a thing left behind: how it is made, how it goes, how it is told.
type leak struct {
	make, undo func(t *testing.T) error
	want       journal.Difference
	realRoot   bool // only the machine's root can see it
}

// added is the difference that something new makes.
func added(kind journal.Kind, what string) journal.Difference {
	return journal.Difference{Kind: kind, What: what, Change: "added"}
}

var mountLeaks = map[string]leak{
	"a mount": {
		make: func(*testing.T) error { return unix.Mount("leak", "/run/leak", "tmpfs", 0, "") },
		undo: func(*testing.T) error { return unix.Unmount("/run/leak", 0) },
		want: added(journal.Mounts, "tmpfs on /run/leak"),
	},
	"a mount over another": {
		make: func(*testing.T) error { return unix.Mount("leak", "/run", "tmpfs", 0, "") },
		undo: func(*testing.T) error { return unix.Unmount("/run", 0) },
		want: added(journal.Mounts, "tmpfs on /run"),
	},
	"propagation": {
		make: func(*testing.T) error { return unix.Mount("", "/proc", "", unix.MS_SHARED, "") },
		undo: func(*testing.T) error { return unix.Mount("", "/proc", "", unix.MS_PRIVATE, "") },
		want: journal.Difference{
			Kind: journal.Mounts, What: "proc on /proc",
			Change: `changed from "/ of proc, rw,nosuid,nodev,noexec,relatime, private" to ` +
				`"/ of proc, rw,nosuid,nodev,noexec,relatime, shared"`,
		},
	},
}

var linkLeaks = map[string]leak{
	"a bridge": {
		make: func(*testing.T) error { return netlink.LinkAdd(bridge("leak0")) },
		undo: func(*testing.T) error { return netlink.LinkDel(bridge("leak0")) },
		want: added(journal.Links, "bridge link leak0"),
	},
	"an address": {
		make: func(*testing.T) error { return netlink.AddrAdd(lo(), address("10.77.0.1/32")) },
		undo: func(*testing.T) error { return netlink.AddrDel(lo(), address("10.77.0.1/32")) },
		want: journal.Difference{
			Kind: journal.Links, What: "device link lo",
			Change: `changed from "index 1, up, 127.0.0.1/8, ::1/128" to ` +
				`"index 1, up, 10.77.0.1/32, 127.0.0.1/8, ::1/128"`,
		},
	},
	"a route": {
		make: func(*testing.T) error { return netlink.RouteAdd(route("10.78.0.0/16")) },
		undo: func(*testing.T) error { return netlink.RouteDel(route("10.78.0.0/16")) },
		want: added(journal.Links, "route 10.78.0.0/16"),
	},
	"a named network namespace": {
		make: func(*testing.T) error {
			return os.WriteFile("/run/netns/leak", nil, 0o644)
		},
		undo: func(*testing.T) error { return os.Remove("/run/netns/leak") },
		want: added(journal.Links, "network namespace /run/netns/leak"),
	},
}

var ruleLeaks = map[string]leak{
	"a table": {
		make: tool("nft", "nftables", "add table inet leak"),
		undo: tool("nft", "nftables", "delete table inet leak"),
		want: added(journal.Rules, "nftables table inet leak"),
	},
	"a chain": {
		make: tool("nft", "nftables", "add chain ip before leak"),
		undo: tool("nft", "nftables", "delete chain ip before leak"),
		want: added(journal.Rules, "nftables chain ip before leak"),
	},
	"a set": {
		make: tool("nft", "nftables", "add set ip before leak { type ipv4_addr; }"),
		undo: tool("nft", "nftables", "delete set ip before leak"),
		want: added(journal.Rules, "nftables set ip before leak"),
	},
	"a rule": {
		make: tool("nft", "nftables", "add rule ip rules old accept"),
		undo: tool("nft", "nftables", "flush chain ip rules old"),
		want: added(journal.Rules, "nftables rule ip rules old handle 2"),
	},
	"a rule of iptables-legacy": {
		realRoot: true,
		make:     tool("iptables-legacy", "iptables", "-t nat -A POSTROUTING -j ACCEPT"),
		undo:     tool("iptables-legacy", "iptables", "-t nat -F"),
		want:     added(journal.Rules, "iptables-legacy table nat"),
	},
}

var settingLeaks = map[string]leak{
	"the host's name": {
		make: func(*testing.T) error { return unix.Sethostname([]byte("leak")) },
		undo: func(*testing.T) error { return unix.Sethostname([]byte("before")) },
		want: journal.Difference{
			Kind: journal.Settings, What: "kernel.hostname",
			Change: `changed from "before" to "leak"`,
		},
	},
	"forwarding by one link": {
		make: sysctl("net/ipv4/conf/all/route_localnet", "1"),
		undo: sysctl("net/ipv4/conf/all/route_localnet", "0"),
		want: journal.Difference{
			Kind: journal.Settings, What: "net.ipv4.conf.all.route_localnet",
			Change: `changed from "0" to "1"`,
		},
	},
}

// Every leak is seen as exactly one difference, and none is left once it is
// undone.
func TestLeaksAreDetected(t *testing.T) {
	need.Sandbox(t)
	require.NoError(t, os.MkdirAll("/run/leak", 0o755)) // this /run is gone with the sandbox
	require.NoError(t, os.MkdirAll("/run/netns", 0o755))
	name, err := os.Hostname()
	require.NoError(t, err)
	require.NoError(t, unix.Sethostname([]byte("before")))
	defer func() { assert.NoError(t, unix.Sethostname([]byte(name))) }()
	for kind, leaks := range map[string]map[string]leak{
		"mounts": mountLeaks, "links": linkLeaks, "settings": settingLeaks,
	} {
		for name, leak := range leaks {
			t.Run(kind+": "+name, leak.isDetected)
		}
	}
}

func TestRulesAreDetected(t *testing.T) {
	need.Sandbox(t)
	require.NoError(t, tool("nft", "nftables", "add table ip before")(t))
	require.NoError(t, tool("nft", "nftables", "add table ip rules; add chain ip rules old")(t))
	defer func() { assert.NoError(t, tool("nft", "nftables", "flush ruleset")(t)) }()
	for name, leak := range ruleLeaks {
		t.Run(name, leak.isDetected)
	}
}

func (l leak) isDetected(t *testing.T) {
	if l.realRoot {
		need.RealRoot(t)
	}
	before := take(t, ours(false))
	require.NoError(t, l.make(t))
	differences := before.Diff(take(t, ours(false)))
	assert.Equal(t, []journal.Difference{l.want}, differences)
	require.NoError(t, l.undo(t))
	assert.Empty(t, settle(t, before, 5*time.Second))
}

// Forwarding is two settings in one: the kernel sets the second by the first.
func TestForwardingIsDetected(t *testing.T) {
	need.Sandbox(t)
	now, err := os.ReadFile("/proc/sys/net/ipv4/ip_forward")
	require.NoError(t, err)
	before := take(t, ours(false))
	other := map[string]string{"0\n": "1", "1\n": "0"}[string(now)]
	require.NoError(t, sysctl("net/ipv4/ip_forward", other)(t))
	assert.Contains(t, before.Diff(take(t, ours(false))), journal.Difference{
		Kind: journal.Settings, What: "net.ipv4.ip_forward",
		Change: fmt.Sprintf("changed from %q to %q", strings.TrimSpace(string(now)), other),
	})
	require.NoError(t, sysctl("net/ipv4/ip_forward", string(now))(t))
	assert.Empty(t, settle(t, before, 5*time.Second))
}

func TestCgroupsAreDetected(t *testing.T) {
	need.Sandbox(t)
	need.Cgroup(t, "memory")
	hierarchies, err := need.Hierarchies()
	require.NoError(t, err)
	for _, h := range hierarchies {
		// Near the top; deep down; by a name that an engine would give.
		top := filepath.Join(h.Mount, "lab-leak")
		deep := filepath.Join(top, "a", "b")
		engine := filepath.Join(h.Mount, strings.Repeat("0123456789abcdef", 4))
		before, whole := take(t, journal.Scope{}), take(t, journal.Scope{Whole: true})
		require.NoError(t, os.MkdirAll(deep, 0o755))
		require.NoError(t, os.Mkdir(engine, 0o755))

		assert.Equal(t, cgroups(top, filepath.Dir(deep)), before.Diff(take(t, before.Scope)))
		all := cgroups(engine, top, filepath.Dir(deep), deep)
		assert.Equal(t, all, whole.Diff(take(t, whole.Scope)))
		for _, dir := range []string{deep, filepath.Dir(deep), top, engine} {
			require.NoError(t, os.Remove(dir))
		}
		assert.Empty(t, settle(t, whole, 5*time.Second))
	}
}

func cgroups(dirs ...string) []journal.Difference {
	var found []journal.Difference
	for _, dir := range dirs {
		what := "cgroup " + dir
		found = append(found, added(journal.Cgroups, what))
	}
	return found
}

// A child is ours; an orphan is, if we adopt it; one that PID 1 took is seen
// where everything counts. A zombie is nothing.
func TestProcessesAreDetected(t *testing.T) {
	need.Sandbox(t)
	before, whole := take(t, ours(false)), take(t, ours(true))

	child := exec.CommandContext(t.Context(), "sleep", "1000")
	require.NoError(t, child.Start())
	want := []journal.Difference{sleeping(child.Process.Pid)}
	assert.Equal(t, want, settle(t, before, 0))
	assert.Equal(t, want, settle(t, whole, 0))
	require.NoError(t, child.Process.Kill())
	assert.Empty(t, settle(t, before, 5*time.Second), "a zombie")
	assert.Empty(t, settle(t, whole, 5*time.Second), "a zombie")
	require.Error(t, child.Wait(), "killed")

	orphan := makeOrphan(t)
	assert.Empty(t, before.Diff(take(t, before.Scope)), "an orphan that PID 1 took")
	assert.Equal(t, []journal.Difference{sleeping(orphan.Pid)}, settle(t, whole, 0))
	require.NoError(t, orphan.Kill())
	assert.Empty(t, settle(t, whole, 5*time.Second))

	require.NoError(t, journal.Adopt())
	defer func() {
		assert.NoError(t, unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0))
	}()
	adopted := makeOrphan(t)
	assert.Equal(t, []journal.Difference{sleeping(adopted.Pid)}, settle(t, before, 0))
	require.NoError(t, adopted.Kill())
	assert.Empty(t, settle(t, before, 5*time.Second))
	_, err := adopted.Wait()
	assert.NoError(t, err)
}

func sleeping(pid int) journal.Difference {
	what := fmt.Sprintf("process %d (sleep)", pid)
	return added(journal.Processes, what)
}

// makeOrphan starts a process whose parent has ended and which has got as far
// as its program.
func makeOrphan(t *testing.T) *os.Process {
	t.Helper()
	const script = "sleep 1000 >/dev/null 2>&1 & echo $!"
	out, err := exec.CommandContext(t.Context(), "sh", "-c", script).Output()
	require.NoError(t, err)
	var pid int
	_, err = fmt.Sscan(string(out), &pid)
	require.NoError(t, err)
	orphan, err := os.FindProcess(pid)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		return err == nil && string(comm) == "sleep\n"
	}, 2*time.Minute, time.Millisecond)
	return orphan
}

func TestFilesAreDetected(t *testing.T) {
	dir := t.TempDir()
	scope := journal.Scope{
		Files:   []string{dir, filepath.Join(dir, "none")},
		Without: []journal.Kind{journal.Mounts, journal.Links, journal.Rules, journal.Processes},
	}
	before := take(t, scope)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "a", "b"), 0o755))
	assert.Equal(t, []journal.Difference{
		{Kind: journal.Files, What: filepath.Join(dir, "a"), Change: "added"},
		{Kind: journal.Files, What: filepath.Join(dir, "a", "b"), Change: "added"},
	}, before.Diff(take(t, scope)))
}

// Who may not read the rules is told so, and does not claim to have compared
// them. A user namespace of its own takes this network's capabilities away.
func TestUnreadableRules(t *testing.T) {
	need.Sandbox(t)
	need.UserNS(t)
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), takeVariable+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 1000, Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 1000, Size: 1}},
	}
	out, err := cmd.Output()
	require.NoError(t, err)
	var snapshot journal.Snapshot
	require.NoError(t, json.Unmarshal(out, &snapshot))
	assert.Regexp(t, "^not readable: .*operation not permitted", snapshot.Unreadable[journal.Rules])
	assert.NotContains(t, snapshot.Compared(), journal.Rules)
	assert.Contains(t, snapshot.Compared(), journal.Mounts)
}

func TestSettleWaits(t *testing.T) {
	need.Sandbox(t)
	before := take(t, ours(false))
	child := exec.CommandContext(t.Context(), "sleep", "0.3")
	require.NoError(t, child.Start())
	assert.NotEmpty(t, settle(t, before, 0))
	assert.Empty(t, settle(t, before, 10*time.Second))
	require.NoError(t, child.Wait())
}

// ours leaves out the cgroups: a sandbox without its own sees the machine's,
// where others come and go.
func ours(whole bool) journal.Scope {
	return journal.Scope{Whole: whole, Without: []journal.Kind{journal.Cgroups}}
}

func take(t *testing.T, scope journal.Scope) journal.Snapshot {
	t.Helper()
	snapshot, err := scope.Take()
	require.NoError(t, err)
	return snapshot
}

// settle waits for as long as told; not at all, it gives a process that was
// started the moment that its name needs.
func settle(t *testing.T, before journal.Snapshot, most time.Duration) []journal.Difference {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), max(most, 50*time.Millisecond))
	defer cancel()
	return journal.Settle(ctx, before)
}

func bridge(name string) netlink.Link {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = name
	return &netlink.Bridge{LinkAttrs: attrs}
}

// lo is the loopback link, which always is number 1.
func lo() netlink.Link {
	return &netlink.Device{LinkAttrs: netlink.LinkAttrs{Name: "lo", Index: 1}}
}

func address(cidr string) *netlink.Addr {
	parsed, err := netlink.ParseIPNet(cidr)
	if err != nil {
		return nil
	}
	return &netlink.Addr{IPNet: parsed}
}

func route(cidr string) *netlink.Route {
	return &netlink.Route{LinkIndex: 1, Dst: address(cidr).IPNet}
}

// tool runs a program with arguments that hold no spaces but between them.
func tool(name, pkg, arguments string) func(*testing.T) error {
	return func(t *testing.T) error {
		t.Helper()
		path := need.Tool(t, name, pkg)
		cmd := exec.CommandContext(t.Context(), path, strings.Fields(arguments)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s %s: %w: %s", name, arguments, err, out)
		}
		return nil
	}
}

func sysctl(name, value string) func(*testing.T) error {
	return func(*testing.T) error { return os.WriteFile("/proc/sys/"+name, []byte(value), 0) }
}
