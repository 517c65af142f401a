package interop

import (
	"os"
	"strings"
	"testing"

	"lab/internal/need"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Docker: between it and the runtime are containerd and its shim.
func TestDocker(t *testing.T) {
	m := prepare(t)
	need.Tool(t, "dockerd", "docker.io")
	need.Tool(t, "containerd", "containerd")
	l := before(t, "docker")
	e, stop := docker(t, m, "plain")
	all := e.all()
	all["user namespace"] = func(t *testing.T) { remapped(t, m) }
	all["nothing left"] = func(t *testing.T) {
		e.ok(t, "rmi", "--force", image)
		stop()
		l.check(t)
	}
	all.try(t, "docker")
}

// docker is an engine that has the image, and what ends its daemon.
func docker(t *testing.T, m machine, name string, flags ...string) (engine, func()) {
	t.Helper()
	dir := base + "/docker-" + name
	require.NoError(t, os.MkdirAll(dir, 0o755))
	require.NoError(t, os.WriteFile(dir+"/daemon.json", []byte("{}"), 0o600))
	socket := "unix://" + dir + "/socket"
	e := engine{
		name: "docker", program: "/usr/bin/docker", daemon: true, runtime: "tested",
		global:      []string{"--config", dir + "/config", "--host", socket},
		perEvents:   []string{"--until", "0s"},
		eventFormat: "{{.Status}}", story: []string{"create", "start", "die", "destroy"},
		execMissing: 126, healthInterval: "100ms",
		healthIs: func(c container, status string) {
			c.t.Helper()
			c.becomes(".State.Health.Status", status)
		},
	}
	stop := daemon(t, func() bool { return e.do("version").status == 0 }, "/usr/sbin/dockerd",
		append([]string{
			"--host", socket, "--data-root", dir + "/data", "--exec-root", dir + "/run",
			"--pidfile", dir + "/pid", "--config-file", dir + "/daemon.json",
			"--add-runtime", "tested=" + m.runtime, "--default-runtime", "tested",
			"--log-level", "error", "--storage-driver", "overlay2",
			"--bridge=none", "--iptables=false",
			"--ip6tables=false", "--ip-forward=false", "--ip-masq=false",
			// Where the machine lets nobody ask to be killed last.
			"--oom-score-adjust=0",
		}, flags...)...)
	e.ok(t, "import", m.archive, image)
	return e, stop
}

// remapped: a daemon of which all containers are in a user namespace.
func remapped(t *testing.T, m machine) {
	t.Helper()
	for _, file := range []string{"/etc/subuid", "/etc/subgid"} { // a copy, see Furnish
		require.NoError(t, os.WriteFile(file, []byte("daemon:100000:65536\n"), 0o644))
	}
	e, _ := docker(t, m, "remapped", "--userns-remap", "daemon")
	c := e.start(t, "--memory", "64m", "echo $(id -u) $(id -g); exec sleep 1000")
	c.logged("0 0")
	words := strings.Fields(proc(t, c.pid(), "uid_map"))
	assert.Equal(t, []string{"0", "100000", "65536"}, words)
	assert.Equal(t, "100000 100000 100000 100000", field(t, c.pid(), "Uid"))
	assert.Equal(t, "67108864", memoryMax(t, c.pid()))
	assert.Equal(t, "0\n", c.exec("id -u").out)
}
