package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lab/internal/need"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// clauses are sentences of the OCI runtime specification, each with what shows that it
// holds. docs/conformance.md tells of the others.
var clauses = []struct {
	where, says string
	holds       func(t *testing.T, e *engine)
}{
	{
		"runtime.md, Create", "an ID that is in use MUST generate an error",
		func(t *testing.T, e *engine) {
			e.write()
			e.ok("create", "web")
			assert.Contains(t, e.do("create", "web").err, "already exists")
		},
	},
	{
		"runtime.md, Create", "changes to config.json MUST NOT affect the container",
		func(t *testing.T, e *engine) {
			e.config.Process.Args = []string{"sh", "-c", "hostname > /dev/shm/name; sleep 1000"}
			e.config.Hostname = "before"
			e.write()
			e.ok("create", "web")
			path := filepath.Join(e.bundle, "config.json")
			require.NoError(t, os.WriteFile(path, []byte("x"), 0o644))
			e.ok("start", "web")
			assert.Equal(t, "before\n", e.ok("exec", "web", "hostname"))
		},
	},
	{
		"runtime.md, Start", "a container that is not created MUST generate an error",
		func(t *testing.T, e *engine) {
			e.begin()
			assert.Equal(t, 1, e.do("start", "web").status)
			assert.Equal(t, "running", e.status())
		},
	},
	{
		"runtime.md, Kill", "one neither created nor running MUST generate an error",
		func(t *testing.T, e *engine) {
			e.begin()
			e.ok("kill", "web", "KILL")
			e.stops()
			assert.Equal(t, 1, e.do("kill", "web", "KILL").status)
		},
	},
	{
		"runtime.md, Delete", "what was not made by create MUST NOT be deleted",
		func(t *testing.T, e *engine) {
			file := filepath.Join(t.TempDir(), "file")
			require.NoError(t, os.WriteFile(file, nil, 0o644))
			e.config.Mounts = append(e.config.Mounts, specs.Mount{
				Destination: "/data", Type: "bind", Source: filepath.Dir(file),
				Options: []string{"bind"},
			})
			e.begin()
			e.ok("delete", "--force", "web")
			assert.FileExists(t, file)
			assert.DirExists(t, e.config.Root.Path)
			assert.FileExists(t, filepath.Join(e.bundle, "config.json"))
		},
	},
	{
		"runtime.md, State", "the state has ociVersion, id, status, pid, bundle, annotations",
		func(t *testing.T, e *engine) {
			e.config.Annotations = map[string]string{"a.key": "its value"}
			pid := e.begin()
			var state specs.State
			require.NoError(t, json.Unmarshal([]byte(e.ok("state", "web")), &state))
			assert.Equal(t, specs.State{
				Version: e.config.Version, ID: "web", Status: "running", Pid: pid,
				Bundle: e.bundle, Annotations: e.config.Annotations,
			}, state)
		},
	},
	{
		"runtime.md, Lifecycle", "a poststop hook that fails is a warning, the others are run",
		func(t *testing.T, e *engine) {
			hooks, mark := failing(t)
			e.config.Hooks = &specs.Hooks{Poststop: hooks}
			e.begin()
			r := e.do("delete", "--force", "web")
			assert.Zero(t, r.status)
			assert.Contains(t, r.err, "warning: hook poststop[0]")
			assert.Contains(t, r.err, "warning: hook poststop[1]")
			assert.FileExists(t, mark)
			e.empty()
		},
	},
	{
		"runtime.md, Lifecycle", "up to 1.2 a poststart hook that fails is a warning, no more",
		func(t *testing.T, e *engine) {
			hooks, mark := failing(t)
			e.config.Version, e.config.Hooks = "1.2.0", &specs.Hooks{Poststart: hooks}
			e.begin()
			assert.Equal(t, "running", e.status())
			assert.FileExists(t, mark)
		},
	},
	{
		"runtime.md, Lifecycle", "from 1.3 on a poststart hook that fails stops the container",
		func(t *testing.T, e *engine) {
			hooks, mark := failing(t)
			e.config.Version, e.config.Hooks = "1.3.0", &specs.Hooks{Poststart: hooks}
			e.write()
			e.ok("create", "web")
			r := e.do("start", "web")
			assert.Equal(t, 1, r.status)
			assert.Contains(t, r.err, "start: hook poststart[0]")
			assert.NoFileExists(t, mark)
			assert.Equal(t, "stopped", e.status())
		},
	},
	{
		"config.md, Extensibility", "properties that are not known MUST NOT generate an error",
		func(t *testing.T, e *engine) {
			e.write()
			path := filepath.Join(e.bundle, "config.json")
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			more := strings.Replace(string(text), "{", `{"not.known": {"x": 1},`, 1)
			require.NoError(t, os.WriteFile(path, []byte(more), 0o644))
			e.ok("create", "web")
		},
	},
	{
		"config.md, Linux Process", "a capability not to be granted MUST be logged as a warning",
		func(t *testing.T, e *engine) {
			e.grant("CAP_NOT_YET_THERE")
			e.write()
			r := e.do("create", "web")
			assert.Zero(t, r.status, r.err)
			assert.Contains(t, r.err, "warning: not granted")
			assert.Contains(t, r.err, "CAP_NOT_YET_THERE")
		},
	},
	{
		"config.md, POSIX process", "rlimits named twice MUST generate an error",
		func(t *testing.T, e *engine) {
			one := specs.POSIXRlimit{Type: "RLIMIT_NOFILE", Soft: 10, Hard: 10}
			e.config.Process.Rlimits = []specs.POSIXRlimit{one, one}
			e.write()
			assert.Contains(t, e.do("create", "web").err, ".process.rlimits")
		},
	},
	{
		"config-linux.md, Namespaces", "a namespace named twice MUST generate an error",
		func(t *testing.T, e *engine) {
			e.config.Linux.Namespaces = append(e.config.Linux.Namespaces,
				specs.LinuxNamespace{Type: specs.PIDNamespace})
			e.write()
			assert.Contains(t, e.do("create", "web").err, ".linux.namespaces")
		},
	},
	{
		"config-linux.md, Default Devices", "null zero full random urandom tty ptmx are there",
		func(t *testing.T, e *engine) {
			e.begin()
			all := strings.Fields(e.ok("exec", "web", "ls", "/dev"))
			for name := range strings.FieldsSeq("null zero full random urandom tty ptmx fd stdin") {
				assert.Contains(t, all, name)
			}
		},
	},
	{
		"config-linux.md, Control groups", "limits are there before the command",
		func(t *testing.T, e *engine) {
			if need.TryCgroup("pids") != nil {
				return // the clause is about what can be limited
			}
			limit := int64(33)
			e.config.Linux.CgroupsPath = "/lab-clause"
			e.config.Linux.Resources = &specs.LinuxResources{
				Pids: &specs.LinuxPids{Limit: &limit},
			}
			e.write()
			e.ok("create", "web")
			found, err := filepath.Glob("/sys/fs/cgroup/*/lab-clause/pids.max")
			require.NoError(t, err)
			if len(found) == 0 {
				found = []string{"/sys/fs/cgroup/lab-clause/pids.max"}
			}
			text, err := os.ReadFile(found[0])
			require.NoError(t, err)
			assert.Equal(t, "33\n", string(text))
		},
	},
	{
		"config-linux.md, Seccomp", "a filter for the command does not stop what comes before it",
		func(t *testing.T, e *engine) {
			e.config.Process.NoNewPrivileges = false
			e.config.Linux.Seccomp = &specs.LinuxSeccomp{
				DefaultAction: specs.ActAllow,
				Syscalls: []specs.LinuxSyscall{{
					Names: []string{"getcwd", "chdir", "close_range"}, Action: specs.ActErrno,
				}},
			}
			if !need.Look().RealRoot {
				e.grant("CAP_SYS_ADMIN") // to filter without no_new_privs takes it in the namespace
			}
			e.begin()
			assert.Equal(t, "running", e.status())
		},
	},
}

// failing are two hooks that fail, and a third that leaves a mark.
func failing(t *testing.T) (hooks []specs.Hook, mark string) {
	t.Helper()
	mark = filepath.Join(t.TempDir(), "mark")
	return []specs.Hook{
		{Path: "/bin/false"},
		{Path: "/bin/false"},
		{Path: "/bin/sh", Args: []string{"sh", "-c", "echo > " + mark}},
	}, mark
}

func TestClauses(t *testing.T) {
	for i, c := range clauses {
		t.Run(fmt.Sprintf("%s: %s", c.where, c.says), func(t *testing.T) {
			c.holds(t, newEngine(t, "sleep", "1000"))
		})
		if i == len(clauses)-1 {
			t.Logf("%d clauses", len(clauses))
		}
	}
}
