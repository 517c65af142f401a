package main_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A container has what it was given of the host's files, and what it writes to a volume
// is there for the next.
func TestVolumesOfContainers(t *testing.T) {
	m := newMini(t)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "f"), []byte("host\n"), 0o644))
	out := m.ok("run", "--rm", "-v", dir+":/h:ro", "-v", "data:/etc", "base", "sh", "-c",
		"cat /h/f; echo x 2>/dev/null > /h/g || echo refused; echo kept > /etc/kept")
	assert.Equal(t, "host\nrefused", out)
	assert.Equal(t, "kept", m.ok("run", "--rm", "-v", "data:/v", "base", "cat", "/v/kept"))
	assert.Contains(t, m.ok("run", "--rm", "-v", "data:/v", "base", "cat", "/v/os-release"),
		"container lab root", "an empty volume got what the image has there")

	m.ok("create", "--name", "web", "-v", "data:/v", "-v", "/anonymous", "base")
	assert.Contains(t, m.do("volume", "rm", "data").err, "in use")
	m.ok("rm", "web")
	m.ok("volume", "rm", "data")
}

// Each container has its own network unless it is told otherwise, and nothing of it stays.
func TestNetworksOfContainers(t *testing.T) {
	m := newMini(t)
	m.ok("network", "create", "front")
	m.web("--network", "front", "--add-host", "other:192.0.2.7")
	assert.Equal(t, "ok", m.ok("run", "--rm", "--network", "front", "base", "sh", "-c",
		"ping -c 1 web > /dev/null && echo ok"), "neighbours find each other by name")
	assert.Contains(t, m.ok("exec", "web", "cat", "/etc/hosts"), "192.0.2.7\tother")
	host, err := os.Readlink("/proc/self/ns/net")
	require.NoError(t, err)
	run := func(mode string) string {
		return m.ok("run", "--rm", "--network", mode, "base", "readlink", "/proc/self/ns/net")
	}
	assert.Equal(t, host, run("host"))
	assert.NotEqual(t, host, run("none"))
	assert.Equal(t, m.ok("exec", "web", "readlink", "/proc/self/ns/net"), run("container:web"))
	assert.Contains(t, m.do("run", "--network", "nosuch", "base").err, "nosuch")
	m.ok("rm", "-f", "web")
	m.ok("network", "rm", "front")
}

// A container is put on another network and taken off it while it runs, and is there
// again after its next start.
func TestConnectAndDisconnect(t *testing.T) {
	m := newMini(t)
	m.ok("network", "create", "front")
	m.ok("network", "create", "back")
	m.web("--network", "front")
	m.ok("network", "connect", "--alias", "db", "back", "web")
	assert.Equal(t, 1, m.do("network", "connect", "back", "web").status, "it is on it")
	reach := func(name, want string) {
		t.Helper()
		assert.Equal(t, want, m.ok("run", "--rm", "--network", "back", "base", "sh", "-c",
			"ping -c 1 -W 5 "+name+" > /dev/null 2>&1 && echo found || echo none"))
	}
	reach("db", "found")
	m.ok("rename", "web", "site")
	reach("site", "found")
	m.ok("rename", "site", "web")
	m.ok("restart", "web")
	reach("db", "found")
	m.ok("network", "disconnect", "back", "web")
	assert.Equal(t, 1, m.do("network", "disconnect", "back", "web").status)
	reach("db", "none")
	m.ok("network", "disconnect", "front", "web")
	m.ok("restart", "web")
	assert.Equal(t, "none", m.ok("inspect", "-f", "{{.HostConfig.NetworkMode}}", "web"))
	assert.Equal(t, 1, m.do("network", "connect", "back", "web").status, "it has none")
	m.ok("rm", "-f", "web")
	m.ok("network", "rm", "front", "back")
}
