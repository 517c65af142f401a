package interop

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// limits are the cases about cgroups, and what an engine tells of them.
func (e engine) limits() cases {
	return cases{
		"limits": e.limited,
		"update": func(t *testing.T) {
			c := e.start(t, "--memory", "64m", "exec sleep 1000")
			e.ok(t, "update", "--memory", "96m", "--memory-swap", "96m",
				"--cpu-shares", "256", c.id)
			assert.Equal(t, "100663296", memoryMax(t, c.pid()))
			assert.Contains(t, []string{"256", "10"},
				cgroupFile(t, c.pid(), "cpu", "cpu.shares", "cpu.weight"))
		},
		"oom":    e.oom,
		"stats":  e.stats,
		"top":    e.top,
		"events": e.events,
		"healthcheck": func(t *testing.T) {
			c := e.start(t, "--health-cmd", "test -e /healthy", "--health-interval",
				e.healthInterval, "--health-retries", "1", "exec sleep 1000")
			e.healthIs(c, "unhealthy")
			require.NoError(t, c.exec("touch /healthy").failure())
			e.healthIs(c, "healthy")
		},
	}
}

// memoryMax is the memory limit that the kernel knows for a process.
func memoryMax(t *testing.T, pid int) string {
	t.Helper()
	return cgroupFile(t, pid, "memory", "memory.limit_in_bytes", "memory.max")
}

// limited: each limit is in the file that the kernel reads it from.
func (e engine) limited(t *testing.T) {
	c := e.start(t, "--memory", "64m", "--memory-swap", "64m", "--memory-reservation", "32m",
		"--cpus", "0.5", "--pids-limit", "55", "--cpuset-cpus", "0", "exec sleep 1000")
	pid := c.pid()
	assert.Equal(t, "67108864", memoryMax(t, pid))
	assert.Equal(t, "33554432",
		cgroupFile(t, pid, "memory", "memory.soft_limit_in_bytes", "memory.low"))
	assert.Contains(t, []string{"50000", "50000 100000"},
		cgroupFile(t, pid, "cpu", "cpu.cfs_quota_us", "cpu.max"))
	assert.Equal(t, "55", cgroupFile(t, pid, "pids", "pids.max", "pids.max"))
	assert.Equal(t, "0", cgroupFile(t, pid, "cpuset", "cpuset.cpus", "cpuset.cpus"))
}

// oom: the engine learns that the kernel has killed. That and the end of the container
// come to it by two ways, so nothing ends before it has been told.
func (e engine) oom(t *testing.T) {
	dir := shared(t)
	c := e.have(t, e.ok(t, e.shell([]string{"create"}, []string{
		"--memory", "64m", "--memory-swap", "64m", "--volume", dir + ":/data",
		"while ! test -e /data/begin; do sleep 0.1; done; hog 200M; status=$?; " +
			"while ! test -e /data/end; do sleep 0.1; done; exit $status",
	})...))
	if !e.daemon {
		// Podman looks for a file in its directory of the container; conmon 2.1.6 makes
		// that file wherever podman was started.
		c.dir = c.inspect(".StaticDir")
	}
	c.ok(t, "start", c.id)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "begin"), nil, 0o600))
	await(t, func() (bool, string) { return c.toldOOM(), "news of the kill" })
	require.NoError(t, os.WriteFile(filepath.Join(dir, "end"), nil, 0o600))
	c.becomes(".State.Status", "exited")
	assert.Equal(t, "137", c.inspect(".State.ExitCode"))
	assert.Equal(t, "true", c.inspect(".State.OOMKilled"))
}

// toldOOM reports whether somebody has told the engine of a kill.
func (c container) toldOOM() bool {
	if c.daemon {
		return c.ok(c.t, "events", "--filter", "container="+c.id, "--filter", "event=oom",
			"--since", "1h", "--until", "0s") != ""
	}
	_, err := os.Stat(filepath.Join(c.dir, "oom"))
	return err == nil
}

// stats: the numbers are those of the container's cgroup.
func (e engine) stats(t *testing.T) {
	c := e.start(t, "--memory", "64m", "exec sleep 1000")
	text := e.ok(t, "stats", "--no-stream", "--format", "{{.Name}} {{.PIDs}} {{.MemUsage}}", c.id)
	words := strings.Fields(text)
	require.Len(t, words, 5, text)
	assert.NotEqual(t, "0", words[1])
	assert.Contains(t, []string{"67.11MB", "64MiB"}, words[4])
}

// top: the container's processes and no others.
func (e engine) top(t *testing.T) {
	c := e.start(t, "sleep 1001 & exec sleep 1000")
	text := e.ok(t, append([]string{"top", c.id}, e.perTop...)...)
	lines := strings.Split(text, "\n")
	require.Len(t, lines, 3, text)
	assert.Contains(t, text, "sleep 1000")
	assert.Contains(t, text, "sleep 1001")
}

// events: the story of a container, in order.
func (e engine) events(t *testing.T) {
	name := e.name + "-story"
	e.ok(t, "run", "--rm", "--name", name, image, "true")
	var told []string
	await(t, func() (bool, string) {
		text := e.ok(t, append([]string{
			"events", "--filter", "container=" + name,
			"--format", e.eventFormat, "--since", "1h",
		}, e.perEvents...)...)
		told = strings.Fields(text)
		return strings.Contains(text, e.story[len(e.story)-1]), text
	})
	at := 0
	for _, event := range told {
		if at < len(e.story) && event == e.story[at] {
			at++
		}
	}
	assert.Len(t, e.story, at, "%v in %v", e.story, told)
}

// storage are the cases about files.
func (e engine) storage() cases {
	return cases{
		"volumes": e.volumes,
		"tmpfs": func(t *testing.T) {
			c := e.start(t, "--tmpfs", "/scratch:rw,size=1m,mode=1770", "exec sleep 1000")
			line := mountOf(t, c.pid(), "/scratch")
			assert.Contains(t, line, "- tmpfs")
			assert.Contains(t, line, "size=1024k")
			assert.Contains(t, line, "mode=1770")
			assert.NotZero(t, c.exec("head -c 2000000 /dev/zero > /scratch/full").status)
		},
		"read-only": func(t *testing.T) {
			r := e.do(e.shell([]string{"run", "--rm"}, []string{
				"--read-only", "--tmpfs", "/tmp", "echo x > /tmp/x && cat /tmp/x; touch /etc/x",
			})...)
			assert.NotZero(t, r.status)
			assert.Equal(t, "x\n", r.out)
			assert.Contains(t, r.err, "read-only file system")
		},
		"build": e.build,
	}
}

// volumes: a directory of the host's, writable and not, and one of the engine's own.
func (e engine) volumes(t *testing.T) {
	dir := shared(t)
	c := e.start(t, "--volume", dir+":/data", "--volume", dir+":/fixed:ro",
		"--volume", e.name+"-volume:/named", "exec sleep 1000")
	t.Cleanup(func() { e.ok(t, "volume", "rm", "--force", e.name+"-volume") })
	require.NoError(t, c.exec("echo text > /data/file").failure())
	text, err := os.ReadFile(filepath.Join(dir, "file"))
	require.NoError(t, err)
	assert.Equal(t, "text\n", string(text))
	r := c.exec("cat /fixed/file; echo more > /fixed/file")
	assert.Equal(t, "text\n", r.out)
	assert.Contains(t, r.err, "read-only file system")

	require.NoError(t, c.exec("echo kept > /named/file").failure())
	e.remove(t, c.id)
	kept := e.once(t, "--volume", e.name+"-volume:/named", "cat /named/file")
	assert.Equal(t, "kept", kept)
}

// build: each RUN is a container.
func (e engine) build(t *testing.T) {
	dir := shared(t)
	file := "FROM " + image + `
ENV GREETING=hello
RUN echo $GREETING > /greeting && id -u > /who
USER 1000
WORKDIR /tmp
RUN pwd > /tmp/where
CMD ["cat", "/greeting", "/who", "/tmp/where"]
`
	require.NoError(t, os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(file), 0o600))
	e.ok(t, append(append([]string{"build"}, e.perBuild...), "--tag", "localhost/built", dir)...)
	t.Cleanup(func() { e.ok(t, "rmi", "--force", "localhost/built") })
	assert.Equal(t, "hello\n0\n/tmp", e.ok(t, "run", "--rm", "localhost/built"))

	bad := "FROM " + image + "\nRUN exit 9\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(bad), 0o600))
	r := e.do(append(append([]string{"build"}, e.perBuild...), dir)...)
	assert.NotZero(t, r.status, "a RUN that fails")
}
