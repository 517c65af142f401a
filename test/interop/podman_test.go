package interop

import (
	"strings"
	"testing"

	"lab/internal/need"

	"github.com/stretchr/testify/assert"
)

// Podman: conmon is between it and the runtime, and there is no daemon.
func TestPodman(t *testing.T) {
	m := prepare(t)
	need.Tool(t, "podman", "podman")
	l := before(t, "libpod_parent")
	e := podman(t, m)
	all := e.all()
	all["user namespace"] = func(t *testing.T) {
		// With a /dev/shm podman 4.3 does not find everything unmounted, with runc as well.
		c := e.start(t, "--uidmap", "0:100000:65536", "--gidmap", "0:200000:65536", "--ipc", "none",
			"echo $(id -u) $(id -g); exec sleep 1000")
		c.logged("0 0")
		assert.Equal(t, "0 100000 65536", strings.Join(strings.Fields(proc(t, c.pid(), "uid_map")), " "))
		assert.Equal(t, "100000 100000 100000 100000", field(t, c.pid(), "Uid"))
		assert.Equal(t, "200000 200000 200000 200000", field(t, c.pid(), "Gid"))
		assert.Equal(t, "0\n", c.exec("id -u").out)
	}
	all["nothing left"] = func(t *testing.T) {
		e.ok(t, "rm", "--all", "--force")
		e.ok(t, "rmi", "--all", "--force")
		l.check(t)
	}
	all.try(t, "podman")
}

// podman is an engine that has the image.
func podman(t *testing.T, m machine) engine {
	t.Helper()
	dir := base + "/podman"
	e := engine{
		name: "podman", program: "/usr/bin/podman", runtime: m.runtime,
		global: []string{
			"--root", dir + "/root", "--runroot", dir + "/run", "--tmpdir", dir + "/tmp",
			"--storage-driver", "overlay", "--cgroup-manager", "cgroupfs",
			"--events-backend", "file",
		},
		perBuild:  []string{"--network", "none", "--isolation", "oci"},
		perRemove: []string{"--time", "0"},
		perTop:    []string{"args"}, perEvents: []string{"--stream=false"},
		eventFormat: "{{.Status}}", story: []string{"create", "init", "start", "died", "remove"},
		// There is no systemd that would ask: a person does.
		execMissing: 127, healthInterval: "disable",
		healthIs: func(c container, status string) {
			c.t.Helper()
			r := c.do("healthcheck", "run", c.id)
			assert.Equal(c.t, status == "healthy", r.status == 0, r.failure())
			assert.Equal(c.t, status, c.inspect(".State.Health.Status"))
		},
	}
	e.ok(t, "import", m.archive, image)
	return e
}
