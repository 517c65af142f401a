package main_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"lab/internal/need"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// hostile is an attack's engine whose root file system is its own copy, to be prepared.
func hostile(t *testing.T, words ...string) (e *engine, image string) {
	t.Helper()
	e = attacks(t, words...)
	image = t.TempDir()
	copyRoot(t, e.config.Root.Path, image)
	e.config.Root.Path, e.config.Root.Readonly = image, false
	return e, image
}

// without removes the mounts of a place, and those in it, from the configuration.
func (e *engine) without(place string) (removed map[string]specs.Mount) {
	var left []specs.Mount
	removed = map[string]specs.Mount{}
	for _, m := range e.config.Mounts {
		if m.Destination != place && !strings.HasPrefix(m.Destination, place+"/") {
			left = append(left, m)
		} else {
			removed[m.Destination] = m
		}
	}
	e.config.Mounts = left
	return removed
}

// exchange makes two names of a directory change places, over and over, until the
// returned function is called. It tells how often.
func exchange(t *testing.T, a, b string) (stop func() int64) {
	t.Helper()
	var ended atomic.Bool
	var times atomic.Int64
	done := make(chan error, 1)
	go func() {
		for !ended.Load() {
			err := unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
			if err != nil {
				done <- err
				return
			}
			times.Add(1)
		}
		done <- nil
	}()
	return func() int64 {
		ended.Store(true)
		require.NoError(t, <-done)
		return times.Load()
	}
}

// CVE-2021-30465: who shares a volume with a container that is being made exchanges the
// place of a mount with a symbolic link while the runtime looks. Nothing may be made or
// mounted outside of the root.
func TestEscapeMountRace(t *testing.T) {
	const rounds = 40
	e, _ := hostile(t, "files")
	volume, outside := t.TempDir(), t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(volume, "place"), 0o755))
	require.NoError(t, os.Symlink(outside, filepath.Join(volume, "link")))
	e.config.Mounts = append(e.config.Mounts,
		specs.Mount{
			Destination: "/volume", Type: "bind", Source: volume, Options: []string{"bind"},
		},
		specs.Mount{Destination: "/volume/place/deep/a", Type: "tmpfs", Source: "tmpfs"},
		specs.Mount{
			Destination: "/volume/place/deep/b", Type: "bind", Source: volume,
			Options: []string{"bind"},
		},
	)
	place, link := filepath.Join(volume, "place"), filepath.Join(volume, "link")
	stop := exchange(t, place, link)
	made := 0
	for range rounds {
		r := e.run()
		if r.status == 0 {
			made++
		}
		e.ok("delete", "--force", "web")
		e.empty()
	}
	assert.Positive(t, stop())
	t.Logf("%d of %d containers were made all the same", made, rounds)
	entries, err := os.ReadDir(outside)
	require.NoError(t, err)
	assert.Empty(t, entries, "nothing was made outside")
	for at := range mounts(t, os.Getpid()) {
		assert.NotContains(t, at, outside)
	}

	// Who joins names and believes them makes it outside, so there is a race to be lost.
	stop = exchange(t, place, link)
	defer stop()
	require.Eventually(t, func() bool {
		_ = os.MkdirAll(filepath.Join(volume, "place", "deep"), 0o755) // it is between the two
		_, err := os.Stat(filepath.Join(outside, "deep"))
		return err == nil
	}, long, time.Millisecond)
}

// The same with a device: while its node is given an owner and a mode, it is exchanged
// for a link to a file of the host's.
func TestEscapeDeviceRace(t *testing.T) {
	e, image := hostile(t, "files")
	e.without("/dev")
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, nil, 0o600))
	node := filepath.Join(image, "dev", "null")
	link := filepath.Join(image, "dev", "link")
	require.NoError(t, os.MkdirAll(filepath.Join(image, "dev"), 0o755))
	for range 40 {
		require.NoError(t, os.RemoveAll(filepath.Join(image, "dev")))
		require.NoError(t, os.Mkdir(filepath.Join(image, "dev"), 0o755))
		require.NoError(t, os.Symlink(secret, link))
		var ended atomic.Bool
		done := make(chan struct{})
		go func() {
			defer close(done)
			for !ended.Load() {
				// It succeeds once, as soon as the node is there.
				if unix.Renameat2(unix.AT_FDCWD, link, unix.AT_FDCWD, node,
					unix.RENAME_EXCHANGE) == nil {
					return
				}
			}
		}()
		e.run()
		ended.Store(true)
		<-done
		e.ok("delete", "--force", "web")
	}
	info, err := os.Stat(secret)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode(), "the host's file has the mode of a device")
}

// CVE-2025-31133 and -52565: an image has links where the runtime takes /dev/null to
// mask with, or mounts the terminal as /dev/console. What they lead to is not mounted,
// and what is to be masked is masked.
func TestEscapeDevLinks(t *testing.T) {
	for _, name := range []string{"null", "console", "ptmx"} {
		t.Run(name, func(t *testing.T) {
			e, image := hostile(t, "write", "/proc/sys/kernel/core_pattern", "/proc/keys")
			pts := e.without("/dev")["/dev/pts"]
			e.config.Mounts = append(e.config.Mounts, pts)
			e.config.Process.Terminal = name != "null"
			e.config.Linux.MaskedPaths = []string{"/proc/keys", "/proc/sys/kernel/core_pattern"}
			require.NoError(t, os.RemoveAll(filepath.Join(image, "dev")))
			require.NoError(t, os.Mkdir(filepath.Join(image, "dev"), 0o755))
			require.NoError(t, os.Symlink("/proc/sys/kernel/core_pattern",
				filepath.Join(image, "dev", name)))
			r := e.run()
			assert.Equal(t, 125, r.status, r.out+r.err)
			assert.Contains(t, r.err, "/dev/"+name, "it says where the link is")
			e.empty()
			believesNames(t, filepath.Join(image, "dev", name))
		})
	}
	// With the mounts that all engines ask for there is nothing of the image's in /dev.
	e, image := hostile(t, "write", "/proc/sys/kernel/core_pattern")
	require.NoError(t, os.RemoveAll(filepath.Join(image, "dev")))
	require.NoError(t, os.Mkdir(filepath.Join(image, "dev"), 0o755))
	require.NoError(t, os.Symlink("/proc/sys/kernel/core_pattern",
		filepath.Join(image, "dev", "null")))
	r := e.run()
	require.Zero(t, r.status, r.err)
	assert.Regexp(t, "^/proc/sys/kernel/core_pattern: (EROFS|EACCES)\n$", r.out)
}

// believesNames is a runtime that mounts by a name in the image: with it, what it mounts
// comes to lie over a file of the host's /proc. So there is something to be refused.
func believesNames(t *testing.T, name string) {
	t.Helper()
	const lever = "/proc/sys/kernel/core_pattern"
	terminal := filepath.Join(t.TempDir(), "terminal")
	require.NoError(t, os.WriteFile(terminal, []byte("typed"), 0o600))
	require.NoError(t, unix.Mount(terminal, name, "", unix.MS_BIND, ""))
	text, err := os.ReadFile(lever)
	require.NoError(t, errors.Join(err, unix.Unmount(lever, 0)))
	assert.Equal(t, "typed", string(text))
}

// CVE-2025-52881: what the runtime writes to /proc and what it hides there is the
// kernel's /proc and no other, whatever an image or a volume has in its place.
func TestEscapeFalseProc(t *testing.T) {
	e, image := hostile(t, "files")
	e.without("/proc")
	sysctl := filepath.Join(image, "proc", "sys", "net", "ipv4", "ip_forward")
	require.NoError(t, os.MkdirAll(filepath.Dir(sysctl), 0o755))
	require.NoError(t, os.WriteFile(sysctl, []byte("untouched"), 0o644))
	e.config.Linux.Sysctl = map[string]string{"net.ipv4.ip_forward": "1"}
	e.config.Process.Args = []string{"cat", "/proc/sys/net/ipv4/ip_forward"}
	r := e.run()
	require.Zero(t, r.status, r.err)
	assert.Equal(t, "untouched", r.out)
	e.config.Mounts = append(e.config.Mounts, specs.Mount{
		Destination: "/true", Type: "proc", Source: "proc",
	})
	e.config.Process.Args = []string{"cat", "/true/sys/net/ipv4/ip_forward"}
	r = e.run()
	require.Zero(t, r.status, r.err)
	assert.Equal(t, "1\n", r.out, "it went to the kernel's")

	// And nothing is mounted over what /proc tells.
	for _, place := range []string{"/proc/self/attr", "/proc/sys", "/proc/1/status"} {
		e = attacks(t, "files")
		e.config.Mounts = append(e.config.Mounts, specs.Mount{
			Destination: place, Type: "bind", Source: t.TempDir(), Options: []string{"bind"},
		})
		r = e.run()
		assert.Equal(t, 125, r.status, place)
		assert.Contains(t, r.err, place)
		e.empty()
	}
}

// What is for the host's root to write in /proc and /sys is not for the container's.
func TestEscapeProcWrites(t *testing.T) {
	levers := []string{
		"/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sysrq-trigger",
		"/proc/sys/fs/binfmt_misc/register", "/proc/sys/vm/panic_on_oom",
		"/sys/kernel/uevent_helper", "/sys/fs/cgroup/release_agent",
	}
	r := attacks(t, append([]string{"write"}, levers...)...).run()
	require.Zero(t, r.status, r.err)
	for line := range strings.Lines(r.out) {
		assert.NotContains(t, line, "done")
	}

	// Without protection the container's own root opens what is its own, so the attempts
	// are real ones.
	const own = "/proc/sys/net/ipv4/ip_forward"
	e := attacks(t, "write", own)
	e.grant("CAP_NET_ADMIN")
	assert.Equal(t, own+": EROFS\n", e.run().out)
	e.config.Linux.ReadonlyPaths = nil
	assert.Equal(t, own+": done\n", e.run().out)
}

// CVE-2022-0492: the files of a cgroup, above all release_agent, are out of reach: as
// they are shown, by a remount, and in a user namespace of the container's own.
func TestEscapeCgroup(t *testing.T) {
	shown := specs.Mount{
		Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup",
		Options: []string{"nosuid", "noexec", "nodev", "ro"},
	}
	e := attacks(t, "cgroup")
	e.config.Mounts = append(e.config.Mounts, shown)
	r := e.run()
	require.Zero(t, r.status, r.err)
	assert.Contains(t, r.out, "remount: EPERM\n")
	assert.Contains(t, r.out, "shown /sys/fs/cgroup/", "there is something to attack")
	for line := range strings.Lines(r.out) {
		what, outcome, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch {
		case what == "new namespaces": // it may have been allowed, and is no way by itself
		case strings.HasPrefix(what, "anew "):
			// A cgroup of its own hierarchy can be seen; it cannot be written to.
			assert.NotEqual(t, "done", outcome, line)
		case strings.HasPrefix(what, "mount "):
		default:
			assert.NotEqual(t, "done", outcome, line)
		}
	}

	// Where it is shown for writing, it is written to: the attempts are real ones.
	if need.TryCgroup("memory") != nil {
		return // an ordinary user's container finds the cgroups as read-only as the user
	}
	e = attacks(t, "cgroup")
	shown.Options = []string{"nosuid", "noexec", "nodev"}
	e.config.Mounts = append(e.config.Mounts, shown)
	r = e.run()
	require.Zero(t, r.status, r.err)
	assert.Regexp(t, `(?m)^shown .*: done$`, r.out)
}

// A container makes no device file, and if it may, it does not open the device: that is
// the cgroup's, or the user namespace's.
func TestEscapeNode(t *testing.T) {
	r := attacks(t, "node").run()
	assert.Equal(t, "mknod: EPERM\n", r.out, r.err)

	e := attacks(t, "node")
	e.grant("CAP_MKNOD")
	want := "mknod: EPERM\n"
	if need.Look().RealRoot {
		want = "mknod: done\nopen: EPERM\n"
		none := []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}
		e.config.Linux.CgroupsPath = "/lab-node"
		e.config.Linux.Resources = &specs.LinuxResources{Devices: none}
	}
	r = e.run()
	assert.Equal(t, want, r.out, r.err)
}

// A configuration that asks for what cannot be is refused, in one line, and nothing of
// the container is left.
func TestHostileConfig(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(c *specs.Spec)
		want   string
	}{
		{"root is a file", func(c *specs.Spec) { c.Root.Path = "/etc/passwd" }, "not a directory"},
		{"root is not there", func(c *specs.Spec) { c.Root.Path = "none" }, "none"},
		{"zero byte", func(c *specs.Spec) { c.Process.Args = []string{"a\x00b"} }, "zero byte"},
		{"no arguments", func(c *specs.Spec) { c.Process.Args = nil }, ".process.args"},
		{"sysctl of the host", func(c *specs.Spec) {
			c.Linux.Sysctl = map[string]string{"kernel.core_pattern": "|/x"}
		}, "kernel.core_pattern"},
		{"sysctl that climbs", func(c *specs.Spec) {
			c.Linux.Sysctl = map[string]string{"net/../kernel/core_pattern": "|/x"}
		}, ".linux.sysctl"},
		{"namespace that is none", func(c *specs.Spec) {
			c.Linux.Namespaces[0].Path = "/etc/passwd"
		}, "/etc/passwd"},
		{"namespace that never opens", func(c *specs.Spec) {
			c.Linux.Namespaces[0].Path = "/proc/self/ns/none"
		}, "/proc/self/ns/none"},
		{"nobody answers system calls", func(c *specs.Spec) {
			c.Linux.Seccomp = &specs.LinuxSeccomp{
				DefaultAction: specs.ActAllow, ListenerPath: "/nowhere",
			}
		}, "connect to /nowhere"},
		{"mount of nothing", func(c *specs.Spec) {
			bind := specs.Mount{Destination: "/x", Type: "bind", Source: "/none"}
			c.Mounts = append(c.Mounts, bind)
		}, "/none"},
		{"mount over everything", func(c *specs.Spec) {
			c.Mounts = append(c.Mounts, specs.Mount{Destination: "/x/../..", Type: "tmpfs"})
		}, "the root itself"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := newEngine(t, "true")
			test.change(e.config)
			r := e.run()
			assert.Contains(t, []int{1, 125}, r.status, r.err)
			assert.Contains(t, r.err, test.want)
			assert.NotContains(t, r.err, "goroutine")
			if _, err := os.Stat(e.state); !errors.Is(err, os.ErrNotExist) {
				e.empty()
			}
			assert.Empty(t, inits(t))
		})
	}
}
