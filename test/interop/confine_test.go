package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// confinement are the cases about what a container may do, and who it is.
func (e engine) confinement() cases {
	return cases{
		"capabilities": e.capabilities,
		"no-new-privileges": func(t *testing.T) {
			c := e.start(t, "--security-opt", "no-new-privileges", "exec sleep 1000")
			assert.Equal(t, "1", field(t, c.pid(), "NoNewPrivs"))
		},
		"seccomp":           e.seccomp,
		"user":              e.user,
		"shared namespaces": e.sharedNamespaces,
		"devices": func(t *testing.T) {
			out := e.once(t, "--device", "/dev/null:/dev/mine:rw", "--cap-add", "MKNOD",
				"echo x > /dev/mine && echo wrote; stat -c %t,%T /dev/mine; mknod /tmp/b b 7 0; "+
					"cat /tmp/b > /dev/null || echo denied")
			assert.Equal(t, "wrote\n1,3\ndenied", out)
		},
		"sysctl and ulimit": func(t *testing.T) {
			c := e.start(t, "--sysctl", "net.ipv4.ip_unprivileged_port_start=80",
				"--ulimit", "nofile=500:600", "--ulimit", "nproc=1000:2000", "exec sleep 1000")
			r := c.exec("cat /proc/sys/net/ipv4/ip_unprivileged_port_start")
			assert.Equal(t, "80\n", r.out)
			// The Go runtime of sleep raises the soft one of its own files.
			assert.Regexp(t, `Max open files +\d+ +600 `, proc(t, c.pid(), "limits"))
			assert.Regexp(t, `Max processes +1000 +2000 `, proc(t, c.pid(), "limits"))
		},
		"init": func(t *testing.T) {
			c := e.start(t, "--init", "exec sleep 1000")
			first := strings.Split(proc(t, c.pid(), "cmdline"), "\x00")
			assert.Regexp(t, "init$", first[0])
			// The first process takes orphans from the table.
			require.NoError(t, c.exec("sh -c 'sleep 0.01 &'").failure())
			await(t, func() (bool, string) {
				text := c.exec("cat /proc/[0-9]*/stat").out
				return !strings.Contains(text, ") Z "), text
			})
			e.ok(t, "stop", "--time", "100", c.id)
			assert.Equal(t, "143", c.inspect(".State.ExitCode"))
		},
		"privileged": func(t *testing.T) {
			same(t, e.name, "privileged", func(runtime string) result {
				return e.with(runtime).do("run", "--rm", "--privileged", image, "true")
			}, e.runtime)
		},
		"oom score": func(t *testing.T) {
			score := e.once(t, "--oom-score-adj", "321", "cat /proc/self/oom_score_adj")
			assert.Equal(t, "321", score)
			same(t, e.name, "oom score", func(runtime string) result {
				return e.with(runtime).do("run", "--rm", "--oom-score-adj", "-500", image, "true")
			}, e.runtime)
		},
	}
}

// capabilities: the default, none, and one.
func (e engine) capabilities(t *testing.T) {
	usual := e.start(t, "exec sleep 1000")
	sets := field(t, usual.pid(), "CapEff")
	assert.NotEqual(t, "0000000000000000", sets)
	assert.Equal(t, sets, field(t, usual.pid(), "CapBnd"))

	bare := e.start(t, "--cap-drop", "ALL", "exec sleep 1000")
	one := e.start(t, "--cap-drop", "ALL", "--cap-add", "NET_ADMIN", "exec sleep 1000")
	for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
		assert.Equal(t, "0000000000000000", field(t, bare.pid(), set), set)
	}
	for _, set := range []string{"CapPrm", "CapEff", "CapBnd"} {
		assert.Equal(t, "0000000000001000", field(t, one.pid(), set), set)
	}
	assert.NotZero(t, bare.exec("chown 1 /etc/passwd").status)
	require.NoError(t, one.exec("ip link set lo down").failure())
}

// seccomp: the engine's own filter, one that is given, and none.
func (e engine) seccomp(t *testing.T) {
	usual := e.start(t, "exec sleep 1000")
	assert.Equal(t, "2", field(t, usual.pid(), "Seccomp"))
	r := usual.exec("grep Seccomp: /proc/self/status")
	assert.Contains(t, r.out, "2", "exec has the filter, too")

	profile := filepath.Join(shared(t), "profile.json")
	text := `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
		{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5}]}`
	require.NoError(t, os.WriteFile(profile, []byte(text), 0o600))
	out := e.do(e.shell([]string{"run", "--rm"},
		[]string{"--security-opt", "seccomp=" + profile, "mkdir /tmp/new"})...)
	assert.NotZero(t, out.status)
	assert.Contains(t, out.err, "input/output error")

	open := e.start(t, "--security-opt", "seccomp=unconfined", "exec sleep 1000")
	assert.Equal(t, "0", field(t, open.pid(), "Seccomp"))
}

// user: by name and number, with further groups.
func (e engine) user(t *testing.T) {
	c := e.start(t, "--user", "user", "--group-add", "77", "exec sleep 1000")
	assert.Equal(t, "1000 1000 1000 1000", field(t, c.pid(), "Uid"))
	assert.Equal(t, "1000 1000 1000 1000", field(t, c.pid(), "Gid"))
	assert.Contains(t, strings.Fields(field(t, c.pid(), "Groups")), "77")
	assert.Equal(t, "0000000000000000", field(t, c.pid(), "CapEff"))
	assert.NotZero(t, c.exec("touch /etc/new").status)
	assert.Equal(t, "0\n", c.exec("--user", "0", "id -u").out)
}

// sharedNamespaces: those of another container, and the host's.
func (e engine) sharedNamespaces(t *testing.T) {
	first := e.start(t, "--ipc", "shareable", "exec sleep 1000")
	second := e.have(t, e.ok(t, "run", "--detach", "--pid", "container:"+first.id,
		"--network", "container:"+first.id, "--ipc", "container:"+first.id,
		"--uts", "host", image, "sleep", "1000"))
	for kind, whose := range map[string]int{
		"pid": first.pid(), "net": first.pid(), "ipc": first.pid(), "uts": os.Getpid(),
	} {
		want, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", whose, kind))
		require.NoError(t, err)
		got, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", second.pid(), kind))
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	// The second has no namespace of processes that ends with it.
	e.ok(t, "kill", second.id)
	second.becomes(".State.Status", "exited")
	assert.Equal(t, "running", first.inspect(".State.Status"))
}
