//go:build linux

package instruments

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lab/internal/cgroupview"
	"lab/internal/check"
	"lab/internal/check/checktest"
	"lab/internal/inspect"
	"lab/internal/isolation"
	"lab/internal/mountview"
	"lab/internal/need"
)

// container starts a step's container that waits until the test ends.
func container(t *testing.T, step string, flags ...string) *check.Held {
	t.Helper()
	need.Sandbox(t)
	subject := checktest.Subject(t, step)
	held, err := subject.Hold(t.Context(), true, append(flags, "-rootfs", subject.Root)...)
	require.NoError(t, err)
	endHeld(t, held)
	return held
}

// endHeld ends a container with the test.
func endHeld(t *testing.T, held *check.Held) {
	t.Helper()
	t.Cleanup(func() {
		_, err := held.Stop(context.WithoutCancel(t.Context()))
		assert.NoError(t, err)
	})
}

// document runs an instrument with --json.
func document(t *testing.T, into any, args ...string) {
	t.Helper()
	stdout, stderr, status := lab(t, append(args, "--json")...)
	require.Zero(t, status, stderr)
	require.Empty(t, stderr)
	require.NoError(t, json.Unmarshal([]byte(stdout), into), stdout)
}

// line finds a line of the page.
func line(t *testing.T, page isolation.Document, section, item string) isolation.Line {
	t.Helper()
	for _, l := range page.Lines {
		if l.Section == section && l.Item == item {
			return l
		}
	}
	require.Fail(t, "there is no such line", "%s %s in %v", section, item, page.Lines)
	return isolation.Line{}
}

// What the page says of a container is what /proc says.
func TestInspectAgreesWithProc(t *testing.T) {
	held := container(t, "04-net", "-hostname", "looked-at")
	var page isolation.Document
	document(t, &page, "inspect", strconv.Itoa(held.PID))
	assert.Equal(t, held.PID, page.PID)

	for _, kind := range inspect.Types {
		its, err := inspect.Namespace(held.PID, kind)
		require.NoError(t, err)
		yours, err := inspect.Namespace(os.Getpid(), kind)
		require.NoError(t, err)
		l := line(t, page, "namespaces", kind)
		assert.Equal(t, number(its), l.Value)
		assert.Equal(t, its != yours, l.Verdict == isolation.Isolated, kind)
	}
	assert.Contains(t, line(t, page, "namespaces", "uts").Meaning, `"looked-at"`)
	assert.Equal(t, isolation.Isolated, line(t, page, "files", "root").Verdict)
	assert.Contains(t, line(t, page, "files", "mounts").Meaning, "/proc (proc)")
	assert.Equal(t, isolation.Shared, line(t, page, "confinement", "seccomp").Verdict)
	for _, l := range page.Lines {
		path, _, _ := strings.Cut(l.File, ":")
		assert.FileExists(t, path, "where %s was read", l.Item)
	}
}

// Limits and usage are those of the cgroup's files, which are named.
func TestInspectShowsLimits(t *testing.T) {
	need.Cgroup(t, "memory", "cpu", "pids")
	held := container(t, "05-cgroups", "-memory", "30M", "-cpus", "0.5", "-pids", "40")
	var page isolation.Document
	document(t, &page, "inspect", strconv.Itoa(held.PID))
	for item, want := range map[string]string{
		"memory limit": "30 MiB", "cpu limit": "0.5 of a processor", "task limit": "40",
	} {
		l := line(t, page, "cgroups", item)
		assert.Equal(t, isolation.Isolated, l.Verdict, item)
		assert.Equal(t, want, l.Value, item)
		assert.FileExists(t, l.File)
	}
	text, err := os.ReadFile(line(t, page, "cgroups", "memory limit").File)
	require.NoError(t, err)
	assert.Equal(t, "31457280\n", string(text))
	assert.Contains(t, line(t, page, "cgroups", "memory limit").Meaning, "in use")
}

// Filters, lost capabilities and maps are put into words.
func TestInspectShowsConfinement(t *testing.T) {
	need.Sandbox(t)
	need.UserNS(t)
	setpriv := need.Tool(t, "setpriv", "util-linux")
	cmd := hold(t, "unshare -Ur "+setpriv+
		" --no-new-privs --bounding-set=-all,+kill,+chown sleep 1000")
	waitFor(t, cmd.Process.Pid, "sleep")
	var page isolation.Document
	document(t, &page, "inspect", pidOf(cmd))
	assert.Equal(t, "2: chown kill", line(t, page, "capabilities", "bounding").Value)
	assert.Equal(t, "none", line(t, page, "capabilities", "ambient").Value)
	assert.Equal(t, isolation.Isolated, line(t, page, "confinement", "no_new_privs").Verdict)
	assert.Equal(t, isolation.Isolated, line(t, page, "users", "uid map").Verdict)
	assert.Equal(t, fmt.Sprintf("0=%d", os.Getuid()), line(t, page, "users", "uid map").Value)
	assert.Contains(t, line(t, page, "users", "ids").Meaning, "inside it is uid 0 gid 0")
}

// mounted is a mount as findmnt(8) lists it.
type mounted struct {
	ID, Parent int
	Target     string
	Type       string `json:"fstype"`
	Device     string `json:"maj:min"`
	Root       string `json:"fsroot"`
	Options    string `json:"vfs-options"`
	Super      string `json:"fs-options"`
}

func TestMountsAgreeWithFindmnt(t *testing.T) {
	held := container(t, "03-mount")
	tool := need.Tool(t, "findmnt", "util-linux")
	const columns = "ID,PARENT,TARGET,FSTYPE,MAJ:MIN,FSROOT,VFS-OPTIONS,FS-OPTIONS"
	for _, pid := range []int{held.PID, os.Getpid()} {
		var ours mountview.Document
		document(t, &ours, "mounts", strconv.Itoa(pid))
		assert.Equal(t, pid == held.PID, ours.Own)

		out, err := exec.CommandContext(t.Context(), tool, "--task", strconv.Itoa(pid), "--json",
			"--list", "-o", columns).Output()
		require.NoError(t, err)
		var theirs struct{ Filesystems []mounted }
		require.NoError(t, json.Unmarshal(out, &theirs), string(out))
		var list []mounted
		for _, m := range ours.Mounts {
			list = append(list, mounted{
				m.ID, m.Parent, m.Target, m.Type, m.Device, m.Root, m.Options, m.SuperOptions,
			})
		}
		assert.ElementsMatch(t, theirs.Filesystems, list)
	}
}

func TestMountsOfAContainer(t *testing.T) {
	held := container(t, "03-mount")
	stdout, stderr, status := lab(t, "mounts", strconv.Itoa(held.PID))
	require.Zero(t, status, stderr)
	assert.Regexp(t, `(?m)^~ +(· |\. )?/proc +proc +processes, as its PID namespace`, stdout)
	assert.Contains(t, stdout, "It lacks ")

	stdout, stderr, status = lab(t, "mounts", strconv.Itoa(os.Getpid()))
	require.Zero(t, status, stderr)
	assert.Contains(t, stdout, "Its mount namespace is yours")
}

// Each file's text is the file's; those that count on their own are read twice.
func TestCgroupAgreesWithItsFiles(t *testing.T) {
	var ours []cgroupview.Document
	document(t, &ours, "cgroup", strconv.Itoa(os.Getpid()))
	require.NotEmpty(t, ours)
	compared := 0
	for _, c := range ours {
		for _, f := range c.Files {
			first, err := os.ReadFile(filepath.Join(c.Dir, f.Name))
			if f.Error != "" {
				require.Error(t, err, f.Name)
				continue
			}
			require.NoError(t, err)
			moves := regexp.MustCompile(`usage|current|stat|pressure|procs|tasks|threads|serv|peak`)
			if !moves.MatchString(f.Name) {
				assert.Equal(t, strings.TrimSpace(string(first)), f.Text, f.Name)
				compared++
			}
			assert.NotEmpty(t, f.Meaning, f.Name)
		}
	}
	assert.Positive(t, compared)
}

// The processes in a cgroup are those that systemd-cgls(1) shows, where it is.
func TestCgroupShowsLimitsAndProcesses(t *testing.T) {
	need.Cgroup(t, "memory", "pids")
	held := container(t, "05-cgroups", "-memory", "30M", "-pids", "40")
	var ours []cgroupview.Document
	document(t, &ours, "cgroup", strconv.Itoa(held.PID), "memory", "pids")
	values := map[string]string{}
	for _, c := range ours {
		assert.True(t, c.Own, "%v", c.Controllers)
		assert.Contains(t, c.Processes, held.PID)
		for _, f := range c.Files {
			values[f.Name] = f.Value
		}
		if tool, err := exec.LookPath("systemd-cgls"); err == nil {
			out, err := exec.CommandContext(t.Context(), tool, "--no-pager", "-k", c.Dir).Output()
			require.NoError(t, err)
			var theirs []int
			for _, m := range regexp.MustCompile(`(?m)─ *(\d+) `).FindAllStringSubmatch(
				string(out), -1) {
				pid, err := strconv.Atoi(m[1])
				require.NoError(t, err)
				theirs = append(theirs, pid)
			}
			assert.ElementsMatch(t, theirs, c.Processes, string(out))
		}
	}
	limit := values["memory.max"] + values["memory.limit_in_bytes"]
	assert.Equal(t, "30 MiB", limit)
	assert.Equal(t, "40", values["pids.max"])

	stdout, stderr, status := lab(t, "cgroup", strconv.Itoa(held.PID), "pids")
	require.Zero(t, status, stderr)
	assert.Regexp(t, `pids.current +\d+ +\d+ % of the limit: tasks now`, stdout)
	assert.NotContains(t, stdout, "memory.")
}

// Every instrument says what is wrong with a process that has none of its own.
func TestLookAtOddProcesses(t *testing.T) {
	need.Sandbox(t)
	zombie := exec.CommandContext(t.Context(), "true")
	require.NoError(t, zombie.Start())
	t.Cleanup(func() { _ = zombie.Wait() }) // its status says nothing
	waitForZombie(t, zombie.Process.Pid)
	pid := strconv.Itoa(zombie.Process.Pid)
	for _, command := range []string{"inspect", "ns", "cgroup"} {
		stdout, stderr, status := lab(t, command, pid)
		assert.Zero(t, status, "%s: %s", command, stderr)
		assert.NotEmpty(t, stdout)
	}
	stdout, _, _ := lab(t, "inspect", pid)
	assert.Contains(t, stdout, "a zombie: it has ended")
	assert.Contains(t, stdout, "given up: it has ended")
	_, stderr, status := lab(t, "mounts", pid)
	assert.Equal(t, 1, status)
	assert.Regexp(t, `^lab: mounts of \d+: .*ended.*\n`, stderr)
}

// waitForZombie waits until a process has ended.
func waitForZombie(t *testing.T, pid int) {
	t.Helper()
	require.NoError(t, check.Until(t.Context(), 10e9, func() (bool, error) {
		s, err := inspect.ReadStatus(pid)
		if errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
		return s.State == 'Z', err
	}))
}
