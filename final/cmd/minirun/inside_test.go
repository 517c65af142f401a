package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"lab/internal/need"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// config-linux.md, "Namespaces": each that is asked for is another than ours, and
// those that are not are ours.
func TestNamespaces(t *testing.T) {
	e := newEngine(t, "sleep", "1000")
	pid := e.begin()
	for _, kind := range []string{"pid", "net", "ipc", "uts", "mnt", "cgroup"} {
		assert.NotEqual(t, namespace(t, os.Getpid(), kind), namespace(t, pid, kind), kind)
	}
	for _, kind := range []string{"user", "time"} {
		assert.Equal(t, namespace(t, os.Getpid(), kind), namespace(t, pid, kind), kind)
	}
}

// A namespace with a path is joined.
func TestJoins(t *testing.T) {
	first := newEngine(t, "sleep", "1000")
	host := first.begin()
	e := newEngine(t, "sleep", "1000")
	e.config.Hostname = ""
	for i, n := range e.config.Linux.Namespaces {
		switch n.Type {
		case specs.NetworkNamespace:
			e.config.Linux.Namespaces[i].Path = fmt.Sprintf("/proc/%d/ns/net", host)
		case specs.UTSNamespace:
			e.config.Linux.Namespaces[i].Path = fmt.Sprintf("/proc/%d/ns/uts", host)
		case specs.PIDNamespace:
			e.config.Linux.Namespaces[i].Path = fmt.Sprintf("/proc/%d/ns/pid", host)
		default:
		}
	}
	pid := e.begin()
	for _, kind := range []string{"net", "uts", "pid"} {
		assert.Equal(t, namespace(t, host, kind), namespace(t, pid, kind), kind)
	}
	assert.NotEqual(t, namespace(t, host, "mnt"), namespace(t, pid, "mnt"))
}

// config-linux.md, "User namespace mappings": root inside is who the map says.
func TestUserNamespace(t *testing.T) {
	e := newEngine(t, "sleep", "1000")
	e.ownUsers()
	pid := e.begin()
	assert.NotEqual(t, namespace(t, os.Getpid(), "user"), namespace(t, pid, "user"))
	assert.Equal(t, "0 0 1", strings.Join(strings.Fields(proc(t, pid, "uid_map")), " "))
	assert.Equal(t, "0 0 1", strings.Join(strings.Fields(proc(t, pid, "gid_map")), " "))
	// exec finds its way in, too.
	r := e.do("exec", "web", "id")
	assert.Zero(t, r.status, r.err)
	assert.Contains(t, r.out, "uid=0")
}

// A container joins all namespaces of another one, whose user namespace is its own: as
// who owns that one. Paths are opened before the first is joined.
func TestJoinsUserNamespace(t *testing.T) {
	first := newEngine(t, "sleep", "1000")
	first.ownUsers()
	host := first.begin()
	e := newEngine(t, "sleep", "1000")
	e.config.Hostname = ""
	e.config.Linux.Namespaces = nil
	for kind, name := range map[specs.LinuxNamespaceType]string{
		specs.UserNamespace: "user", specs.NetworkNamespace: "net", specs.IPCNamespace: "ipc",
		specs.UTSNamespace: "uts", specs.PIDNamespace: "pid", specs.MountNamespace: "",
	} {
		n := specs.LinuxNamespace{Type: kind}
		if name != "" {
			n.Path = fmt.Sprintf("/proc/%d/ns/%s", host, name)
		}
		e.config.Linux.Namespaces = append(e.config.Linux.Namespaces, n)
	}
	pid := e.begin()
	for _, kind := range []string{"user", "net", "ipc", "uts", "pid"} {
		assert.Equal(t, namespace(t, host, kind), namespace(t, pid, kind), kind)
	}
	assert.NotEqual(t, namespace(t, host, "mnt"), namespace(t, pid, "mnt"))
	assert.Zero(t, e.do("exec", "web", "true").status)
}

// config-linux.md, "Offset for Time Namespace": the clocks of the container are ahead.
func TestTimeNamespace(t *testing.T) {
	const year = 365 * 24 * 60 * 60 // seconds
	e := newEngine(t, "sleep", "1000")
	e.config.Linux.Namespaces = append(e.config.Linux.Namespaces,
		specs.LinuxNamespace{Type: specs.TimeNamespace})
	e.config.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"boottime": {Secs: year}}
	pid := e.begin()
	assert.NotEqual(t, namespace(t, os.Getpid(), "time"), namespace(t, pid, "time"))
	var ours, theirs float64 // since the machine began, of which each has its idea
	text, err := os.ReadFile("/proc/uptime")
	require.NoError(t, err)
	_, err = fmt.Sscan(string(text), &ours)
	require.NoError(t, err)
	_, err = fmt.Sscan(e.ok("exec", "web", "cat", "/proc/uptime"), &theirs)
	require.NoError(t, err)
	assert.InDelta(t, year, theirs-ours, 600)
}

// config.md, "Mounts", uidMappings: files belong to others in the container, and what it
// makes belongs to those whose files they are.
func TestMappedOwners(t *testing.T) {
	need.RealRoot(t)
	e := newEngine(t, "sh", "-c", "stat -c %u:%g /data/theirs; echo mine > /data/new")
	volume := t.TempDir()
	require.NoError(t, os.Chmod(filepath.Dir(volume), 0o700)) //nolint:gosec // opened before
	theirs := filepath.Join(volume, "theirs")
	require.NoError(t, os.WriteFile(theirs, nil, 0o600))
	require.NoError(t, os.Chown(volume, 1000, 1000))
	require.NoError(t, os.Chown(theirs, 1000, 1000))
	mount := specs.Mount{
		Destination: "/data", Type: "bind", Source: volume, Options: []string{"bind", "idmap"},
		UIDMappings: []specs.LinuxIDMapping{{ContainerID: 1000, HostID: 0, Size: 1}},
		GIDMappings: []specs.LinuxIDMapping{{ContainerID: 1000, HostID: 0, Size: 1}},
	}
	e.config.Mounts = append(e.config.Mounts, mount)
	r := e.run()
	require.Zero(t, r.status, r.err)
	assert.Equal(t, "0:0\n", r.out)
	var st unix.Stat_t
	require.NoError(t, unix.Stat(filepath.Join(volume, "new"), &st))
	assert.Equal(t, uint32(1000), st.Uid)
	assert.Equal(t, uint32(1000), st.Gid)
}

// config.md, "Mounts", and config-linux.md, "Masked Paths", "Readonly Paths".
func TestMounts(t *testing.T) {
	e := newEngine(t, "sleep", "1000")
	data := t.TempDir()
	file := filepath.Join(data, "file")
	require.NoError(t, os.WriteFile(file, []byte("of the host"), 0o644))
	e.config.Mounts = append(e.config.Mounts,
		specs.Mount{
			Destination: "/data/deep", Type: "bind", Source: data,
			Options: []string{"rbind", "ro", "nosuid", "nodev", "noexec"},
		},
		specs.Mount{Destination: "/etc/made", Source: file, Options: []string{"bind"}},
		specs.Mount{
			Destination: "/scratch", Type: "tmpfs", Source: "tmpfs",
			Options: []string{"size=1m", "mode=1777", "noexec"},
		},
	)
	pid := e.begin()
	table := mounts(t, pid)
	assert.Contains(t, table["/"], " / ro,", "the root is read-only")
	assert.Contains(t, table["/data/deep"], " /data/deep ro,nosuid,nodev,noexec")
	assert.Contains(t, table["/etc/made"], " /etc/made rw")
	assert.Contains(t, table["/scratch"], "size=1024k")
	assert.Contains(t, table["/proc/sys"], " /proc/sys ro,")
	assert.Contains(t, table["/proc/keys"], "/null /proc/keys ", "it is under /dev/null")
	for place := range mounts(t, os.Getpid()) {
		assert.NotContains(t, place, "/data/deep", "nothing of it is to be seen on the host")
	}
	inside, err := os.Stat(fmt.Sprintf("/proc/%d/root/data/deep/file", pid))
	require.NoError(t, err)
	outside, err := os.Stat(file)
	require.NoError(t, err)
	assert.True(t, os.SameFile(inside, outside))
}

// No link of an image leads a mount out of the root, and none stands in for /proc.
func TestHostileRoot(t *testing.T) {
	e := newEngine(t, "sleep", "1000")
	image := t.TempDir()
	outside := t.TempDir()
	copyRoot(t, e.config.Root.Path, image)
	e.config.Root.Path = image
	e.config.Root.Readonly = false
	require.NoError(t, os.Symlink(outside, filepath.Join(image, "abs")))
	require.NoError(t, os.Symlink("../../../../../../../.."+outside, filepath.Join(image, "rel")))
	e.config.Mounts = append(e.config.Mounts,
		specs.Mount{Destination: "/abs/a", Type: "tmpfs", Source: "tmpfs"},
		specs.Mount{Destination: "/rel/b", Type: "tmpfs", Source: "tmpfs"},
	)
	e.begin()
	entries, err := os.ReadDir(outside)
	require.NoError(t, err)
	assert.Empty(t, entries, "nothing was made outside")
	assert.DirExists(t, filepath.Join(image, outside, "a"), "it was made inside")
	e.ok("delete", "--force", "web")

	require.NoError(t, os.RemoveAll(filepath.Join(image, "proc")))
	require.NoError(t, os.Symlink("tmp", filepath.Join(image, "proc")))
	r := e.run()
	assert.Equal(t, 125, r.status)
	assert.Contains(t, r.err, "mount proc on /proc: the root has a symbolic link in place")
}

// copyRoot copies a root file system.
func copyRoot(t *testing.T, from, to string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "cp", "-a", from+"/.", to).CombinedOutput()
	require.NoError(t, err, string(out))
}

// config.md, "Process": what the command is, as the kernel tells it.
func TestProcess(t *testing.T) {
	// Not of the box: a Go program changes its own limit of files and signal mask.
	e := newEngine(t, "/busybox", "sleep", "1000")
	e.config.Mounts = append(e.config.Mounts, specs.Mount{
		Destination: "/busybox", Type: "bind", Source: need.Tool(t, "busybox", "busybox-static"),
		Options: []string{"bind"},
	})
	mask := uint32(0o27)
	p := e.config.Process
	p.User.Umask = &mask
	p.Cwd = "/tmp"
	p.Env = append(p.Env, "GREETING=hello")
	p.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 100, Hard: 200}}
	p.Capabilities = &specs.LinuxCapabilities{
		Bounding: []string{"CAP_KILL", "CAP_NET_RAW"}, Permitted: []string{"CAP_KILL"},
		Effective: []string{"CAP_KILL"},
	}
	e.config.Linux.Seccomp = &specs.LinuxSeccomp{
		DefaultAction: specs.ActAllow,
		Syscalls: []specs.LinuxSyscall{
			{Names: []string{"personality"}, Action: specs.ActErrno},
		},
	}
	pid := e.begin()
	assert.Equal(t, "0000000000002020", field(t, pid, "CapBnd"))
	assert.Equal(t, "0000000000000020", field(t, pid, "CapEff"))
	assert.Equal(t, "0000000000000020", field(t, pid, "CapPrm"))
	assert.Equal(t, "0000000000000000", field(t, pid, "CapAmb"))
	assert.Equal(t, "1", field(t, pid, "NoNewPrivs"))
	assert.Equal(t, "2", field(t, pid, "Seccomp"))
	assert.Equal(t, "0027", field(t, pid, "Umask"))
	assert.Contains(t, proc(t, pid, "environ"), "GREETING=hello\x00")
	// A Go program, as the box is one, raises its own soft limit to the hard one or one less.
	assert.Regexp(t, `Max open files +(100|199|200) +200 `, proc(t, pid, "limits"))
	cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	require.NoError(t, err)
	assert.Equal(t, "/tmp", cwd)
	assert.Equal(t, "0000000000000000", field(t, pid, "SigBlk"))
}

// The command has its standard streams and what was kept for it, and nothing of ours.
func TestFiles(t *testing.T) {
	e := newEngine(t, "sh", "-c", "ls /proc/self/fd")
	e.write()
	kept, err := os.Open("/dev/null")
	require.NoError(t, err)
	defer kept.Close()
	cmd := e.command("run", "web")
	cmd.ExtraFiles = []*os.File{kept, kept}
	r := e.finish(cmd)
	require.Zero(t, r.status, r.err)
	without := strings.Fields(r.out)
	assert.Equal(t, []string{"0", "1", "2"}, without[:3])

	cmd = e.command("run", "--preserve-fds", "2", "web")
	cmd.ExtraFiles = []*os.File{kept, kept}
	r = e.finish(cmd)
	require.Zero(t, r.status, r.err)
	with := strings.Fields(r.out)
	assert.Equal(t, []string{"0", "1", "2", "3", "4"}, with[:5])
	assert.Len(t, with, len(without)+2, "what ls itself opens is more in both")
}

// A working directory outside of the root, reached through a file of the runtime's, is
// refused.
func TestWorkingDirectory(t *testing.T) {
	for fd := 3; fd < 12; fd++ {
		e := newEngine(t, "true")
		e.config.Root.Readonly = false
		e.config.Process.Cwd = fmt.Sprintf("/proc/self/fd/%d", fd)
		r := e.run()
		assert.NotZero(t, r.status, fd)
		e.empty()
	}
}

// `exec` adds a process beside init: the same namespaces, and what flags ask for.
func TestExec(t *testing.T) {
	e := newEngine(t, "sleep", "1000")
	pid := e.begin()
	r := e.do("exec", "--user", "0:0", "--cwd", "/tmp", "--env", "A=b", "web",
		"sh", "-c", "pwd; echo $A; cat /proc/self/mountinfo | wc -l; exit 3")
	assert.Equal(t, 3, r.status, r.err)
	assert.Equal(t, fmt.Sprintf("/tmp\nb\n%d\n",
		strings.Count(proc(t, pid, "mountinfo"), "\n")), r.out)
	assert.Equal(t, 127, e.do("exec", "web", "nope").status)

	file := filepath.Join(t.TempDir(), "pid")
	e.ok("exec", "--detach", "--pid-file", file, "web", "sleep", "1000")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var added int
	_, err = fmt.Sscan(string(text), &added)
	require.NoError(t, err)
	for _, kind := range []string{"pid", "net", "ipc", "uts", "mnt", "cgroup", "user"} {
		assert.Equal(t, namespace(t, pid, kind), namespace(t, added, kind), kind)
	}
	assert.Equal(t, field(t, pid, "CapEff"), field(t, added, "CapEff"))
	e.ok("kill", "web", "KILL")
	e.stops()
	assert.Contains(t, e.do("exec", "web", "true").err, "container not running")
}

// The limits are in the container's cgroup, in which it was born; they can be changed,
// and the container can be stopped as a whole.
func TestLimits(t *testing.T) {
	need.Cgroup(t, "memory", "pids")
	e := newEngine(t, "sleep", "1000")
	memory, pids := int64(64<<20), int64(40)
	e.config.Linux.CgroupsPath = "/lab-limits"
	e.config.Linux.Resources = &specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: &memory}, Pids: &specs.LinuxPids{Limit: &pids},
	}
	pid := e.begin()
	assert.Contains(t, proc(t, pid, "cgroup"), "lab-limits")
	assert.Contains(t, e.ok("events", "--stats", "web"), `"limit":67108864`)
	e.ok("update", "--memory", "33554432", "web")
	assert.Contains(t, e.ok("events", "--stats", "web"), `"limit":33554432`)
	assert.Contains(t, e.ok("ps", "--format", "json", "web"), fmt.Sprint(pid))
	e.ok("delete", "--force", "web")
	e.empty()
}

// What needs a cgroup says so where there is none.
func TestNoCgroup(t *testing.T) {
	e := newEngine(t, "sleep", "1000")
	e.begin()
	for _, verb := range []string{"pause", "resume", "ps", "events"} {
		r := e.do(verb, "web")
		assert.Equal(t, 1, r.status)
		assert.Contains(t, r.err, "has no cgroup", verb)
	}
	e.ok("kill", "--all", "web", "KILL")
	e.stops()
}

// A terminal is the container's own, and of the size that was asked for.
func TestTerminal(t *testing.T) {
	e := newEngine(t, "sh", "-c", "ls -l /dev/console; tty; stat -c %t:%T /dev/console")
	e.config.Process.Terminal = true
	e.config.Process.ConsoleSize = &specs.Box{Height: 30, Width: 100}
	e.config.Process.Args = []string{"sh", "-c", "echo at $(ls /dev/pts) on fd 0"}
	r := e.run()
	require.Zero(t, r.status, r.err)
	assert.Contains(t, r.out, "at 0 ptmx on fd 0")
	e.empty()
}
