package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"lab/internal/check"
	"lab/internal/check/checktest"
	"lab/internal/inspect"
	"lab/internal/lesson/lessontest"
	"lab/internal/need"
	"lab/internal/sandbox"
)

// TestMain runs the tests in a throw-away host.
func TestMain(m *testing.M) { os.Exit(sandbox.Run(m)) }

// TestChecks judges the program from outside, by kernel state.
func TestChecks(t *testing.T) { checktest.Run(t, program) }

// TestLesson types what the README says and compares.
func TestLesson(t *testing.T) { lessontest.Run(t, program) }

// TestChecksWithUser judges the same container, made with a user namespace by
// whoever runs the tests.
func TestChecksWithUser(t *testing.T) { checktest.Run(t, program, "-user") }

// TestChecksOfOrdinaryUser judges it as made by somebody who is not root, and
// to whom only the own id can be mapped.
func TestChecksOfOrdinaryUser(t *testing.T) {
	s := ordinaryUser(t, 2)
	checktest.Judge(t, s, hostSteps...)
	maps := mapsOf(t, s)
	assert.Equal(t, []inspect.Mapping{{Inside: 0, Outside: 2, Size: 1}}, maps)
}

// TestChecksWithSubordinateRange judges it as made by an ordinary user who may
// have the helpers map more ids.
func TestChecksWithSubordinateRange(t *testing.T) {
	need.Tool(t, "newuidmap", "uidmap")
	need.Tool(t, "newgidmap", "uidmap")
	s := ordinaryUser(t, 1)
	for _, file := range []string{"/etc/subuid", "/etc/subgid"} {
		mine := filepath.Join(t.TempDir(), "range")
		require.NoError(t, os.WriteFile(mine, []byte("1:300000:1000\n"), 0o644))
		if _, err := os.Stat(file); err != nil {
			require.NoError(t, os.WriteFile(file, nil, 0o644))
			t.Cleanup(func() { assert.NoError(t, os.Remove(file)) })
		}
		require.NoError(t, unix.Mount(mine, file, "", unix.MS_BIND, ""))
		t.Cleanup(func() { assert.NoError(t, unix.Unmount(file, 0)) })
	}
	checktest.Judge(t, s, hostSteps...)
	assert.Equal(t, []inspect.Mapping{
		{Inside: 0, Outside: 1, Size: 1},
		{Inside: 1, Outside: 300000, Size: 1000},
	}, mapsOf(t, s))
}

// hostSteps are the steps whose flags change what belongs to the host; what an
// ordinary user is told instead has a test of its own.
var hostSteps = []string{"04-net", "05-cgroups"}

// TestOrdinaryUserIsTold has an ordinary user ask for a network and a limit.
func TestOrdinaryUserIsTold(t *testing.T) {
	s := ordinaryUser(t, 2)
	r, err := s.Run(t.Context(), "", []string{"-rootfs", s.Root},
		"/bin/sh", "-c", "ls /sys/class/net; cat /sys/class/net/lo/carrier")
	require.NoError(t, err)
	assert.Equal(t, "lo\n1\n", r.Stdout, "lo and no other, and it is up")
	assert.Equal(t, "08-user: no bridge on this host: operation not "+
		"permitted; the container has lo only\n", r.Stderr)

	r, err = s.Run(t.Context(), "", []string{"-memory", "30M"}, s.Probe(false))
	require.NoError(t, err)
	assert.Equal(t, 125, r.Status)
	assert.Contains(t, r.Stderr, "08-user: no cgroup is delegated to us")
	assert.Contains(t, r.Stderr, "\nhint: ")
}

// ordinaryUser returns the program as run, with -user, by an id of the host
// that is not root, which needs a copy of it that everybody may execute.
func ordinaryUser(t *testing.T, id uint32) *check.Subject {
	t.Helper()
	need.RealRoot(t)
	need.Sandbox(t)
	s := checktest.Subject(t, program)
	text, err := os.ReadFile(s.Program)
	require.NoError(t, err)
	s.Program = filepath.Join(t.TempDir(), program)
	require.NoError(t, os.WriteFile(s.Program, text, 0o755))
	require.NoError(t, os.Lchown(s.Root, int(id), int(id)))
	s.Flags = []string{"-user"}
	s.Credential = &syscall.Credential{Uid: id, Gid: id}
	return s
}

// mapsOf returns the uid map of a container.
func mapsOf(t *testing.T, s *check.Subject) []inspect.Mapping {
	t.Helper()
	h, err := s.Hold(t.Context(), true, "-rootfs", s.Root)
	require.NoError(t, err)
	maps, err := inspect.IDMap(h.PID, "uid")
	require.NoError(t, err)
	groups, err := inspect.IDMap(h.PID, "gid")
	require.NoError(t, err)
	assert.Equal(t, maps, groups)
	_, err = h.Stop(t.Context())
	require.NoError(t, err)
	return maps
}

// TestRootOwnsLentRoot has the container's root write to a root file system of
// the host's root that nobody else can get to. It has none of root's groups.
func TestRootOwnsLentRoot(t *testing.T) {
	need.RealRoot(t)
	need.Sandbox(t)
	s := checktest.Subject(t, program)
	require.NoError(t, os.Chmod(filepath.Dir(s.Root), 0o700))
	s.Credential = &syscall.Credential{Groups: []uint32{0, 4}}
	r, err := s.Run(t.Context(), "", []string{"-user", "-rootfs", s.Root},
		"/bin/sh", "-c", "echo mine > /made && stat -c %u /made; "+
			"grep Groups /proc/self/status")
	require.NoError(t, err)
	assert.Equal(t, "0\nGroups:\t \n", r.Stdout, r.Stderr)
	var st unix.Stat_t
	require.NoError(t, unix.Stat(filepath.Join(s.Root, "made"), &st))
	assert.Zero(t, st.Uid, "on the disk")
}

// TestNothingLentStaysOpen looks at the files of the container's PID 1, which
// its root could open again.
func TestNothingLentStaysOpen(t *testing.T) {
	need.RealRoot(t)
	need.Sandbox(t)
	s := checktest.Subject(t, program)
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "upper"), 0o755))
	for _, root := range [][]string{
		{"-rootfs", s.Root},
		{"-lower", s.Root, "-upper", filepath.Join(dir, "upper")},
	} {
		flags := append([]string{"-user", "-v", dir + ":/mnt"}, root...)
		h, err := s.Hold(t.Context(), true, flags...)
		require.NoError(t, err)
		files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", h.Init))
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, file := range files {
			info, err := os.Stat(file)
			require.NoError(t, err)
			assert.False(t, info.IsDir(), "%v: %s is open", flags, file)
		}
		_, err = h.Stop(t.Context())
		require.NoError(t, err)
	}
}

// TestForbidden takes user namespaces away from a host of its own: the limit
// is one of each user namespace.
func TestForbidden(t *testing.T) {
	need.UserNS(t)
	s := checktest.Subject(t, program)
	cmd := exec.Command(filepath.Join(s.Root, "bin", "sh"), "-c",
		"echo 0 > /proc/sys/user/max_user_namespaces; "+
			s.Program+" run -hostname x -user id -user; echo $?")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Equal(t, fmt.Sprintf(`08-user: clone with CLONE_NEWUSER: `+
		`no space left on device: user.max_user_namespaces forbids it
hint: sudo %s run -hostname x id -user
hint: sudo sysctl user.max_user_namespaces=10000
hint: cd vagrant && vagrant up && vagrant ssh
125
`, s.Program), string(out))
}

func TestFindSetting(t *testing.T) {
	const apparmor = "kernel.apparmor_restrict_unprivileged_userns"
	tests := []struct {
		name, setting, value string
		isRoot               bool
		allows               string // none: the setting does not forbid
	}{
		{"nothing forbids", "user.max_user_namespaces", "63000", false, ""},
		{"none is left", "user.max_user_namespaces", "0", false, "10000"},
		{"nor for root", "user.max_user_namespaces", "0", true, "10000"},
		{"Debian", "kernel.unprivileged_userns_clone", "0", false, "1"},
		{"not for root", "kernel.unprivileged_userns_clone", "0", true, ""},
		{"AppArmor", apparmor, "1", false, "0"},
		{"AppArmor, allowed", apparmor, "0", false, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sys := t.TempDir()
			file := filepath.Join(sys, strings.ReplaceAll(tt.setting, ".", "/"))
			require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
			require.NoError(t, os.WriteFile(file, []byte(tt.value+"\n"), 0o644))
			setting, allows := findSetting(sys, tt.isRoot)
			assert.Equal(t, tt.allows, allows)
			if tt.allows != "" {
				assert.Equal(t, tt.setting, setting)
			}
		})
	}
}

func TestFindRange(t *testing.T) {
	const text = "bob:100000:65536\nalice:165536:65536\n" +
		"1002:7:8\nodd:x:1\nodd\n"
	tests := []struct {
		name, user, id string
		first, size    int
	}{
		{"by name", "alice", "1000", 165536, 65536},
		{"by number", "carol", "1002", 7, 8},
		{"nobody's", "dave", "1003", 0, 0},
		{"a line that is none", "odd", "1004", 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			first, size := findRange(text, tt.user, tt.id)
			assert.Equal(t, tt.first, first)
			assert.Equal(t, tt.size, size)
		})
	}
}

func TestHolds(t *testing.T) {
	tests := []struct {
		name, text string
		want       bool
	}{
		{"the first user namespace", "   0    0 4294967295\n", true},
		{"one id", "         0       1000          1\n", false},
		{"a range that ends too early", "0 1000 1\n1 100000 65536\n", false},
		{"no map yet", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			assert.Equal(t, tt.want, holds(tt.text, firstID, manyIDs))
		})
	}
}
