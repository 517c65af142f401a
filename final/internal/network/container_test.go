package network_test

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"lab/final/internal/network"
	"lab/internal/need"
	"lab/internal/sandbox"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// open opens an empty store.
func open(t *testing.T) *network.Store {
	t.Helper()
	need.Net(t)
	s, err := network.Open(filepath.Join(t.TempDir(), "networks"))
	require.NoError(t, err)
	return s
}

// container is a process in a network namespace of its own.
type container struct {
	id    string
	pid   int
	hosts string // its hosts file
	kill  func()
}

// start starts a process as a container's first. It ends with the test.
func start(t *testing.T, id string) *container {
	t.Helper()
	cmd := exec.Command("cat")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	c := &container{id: id, pid: cmd.Process.Pid, hosts: filepath.Join(t.TempDir(), "hosts")}
	require.NoError(t, os.WriteFile(c.hosts, nil, 0o600))
	c.kill = func() {
		_ = in.Close()
		_ = cmd.Process.Kill() // it may have been killed before
		_ = cmd.Wait()
	}
	t.Cleanup(c.kill)
	return c
}

// request asks for what a container gets without any flag.
func (c *container) request(networks ...string) network.Request {
	r := network.Request{
		ID: c.id, Name: c.id, PID: c.pid, Hostname: c.id, HostsFile: c.hosts,
	}
	for _, n := range networks {
		r.Join = append(r.Join, network.Join{Network: n})
	}
	return r
}

// ports reads several -p.
func ports(t *testing.T, texts ...string) (all []network.Port) {
	t.Helper()
	for _, text := range texts {
		some, err := network.ParsePorts(text)
		require.NoError(t, err)
		all = append(all, some...)
	}
	return all
}

// attach attaches a container until the test ends.
func attach(t *testing.T, s *network.Store, r network.Request) network.Lease {
	t.Helper()
	l, err := s.Attach(r)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Detach(r.ID)) })
	return l
}

// up starts a container on networks.
func up(t *testing.T, s *network.Store, id string, networks ...string) (*container, netip.Addr) {
	t.Helper()
	c := start(t, id)
	l := attach(t, s, c.request(networks...))
	return c, l.Endpoints[0].Address.Addr()
}

// within does something in another network namespace.
func within(ns string, do func() error) error {
	f, err := os.Open(ns)
	if err != nil {
		return err
	}
	defer f.Close()
	there := sandbox.Network{Name: ns, Handle: f}
	return there.Do(do)
}

// ns is the file of a container's network namespace.
func (c *container) ns() string { return fmt.Sprintf("/proc/%d/ns/net", c.pid) }

// host is the file of the throw-away host's.
const host = "/proc/self/ns/net"

// serve has a container answer with its name on a port until the test ends.
func serve(t *testing.T, ns, proto, address, answer string) {
	t.Helper()
	err := within(ns, func() error {
		if proto == "udp" {
			c, err := net.ListenPacket("udp4", address)
			if err != nil {
				return err
			}
			t.Cleanup(func() { _ = c.Close() })
			go echo(c, answer)
			return nil
		}
		l, err := net.Listen("tcp4", address)
		if err != nil {
			return err
		}
		t.Cleanup(func() { _ = l.Close() })
		go accept(l, answer)
		return nil
	})
	require.NoError(t, err)
}

// accept answers connections.
func accept(l net.Listener, answer string) {
	for {
		c, err := l.Accept()
		if err != nil {
			return // closed
		}
		_, _ = c.Write([]byte(answer)) // who does not want it need not read
		_ = c.Close()
	}
}

// echo answers packets.
func echo(c net.PacketConn, answer string) {
	buffer := make([]byte, 100)
	for {
		_, from, err := c.ReadFrom(buffer)
		if err != nil {
			return // closed
		}
		_, _ = c.WriteTo([]byte(answer), from)
	}
}

// ask asks once and returns the answer.
func ask(ns, proto, address string, patience time.Duration) (answer string, err error) {
	err = within(ns, func() error {
		c, err := net.DialTimeout(proto+"4", address, patience)
		if err != nil {
			return err
		}
		defer c.Close()
		if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
			return err
		}
		if proto == "udp" {
			if _, err := c.Write([]byte("?")); err != nil {
				return err
			}
		}
		buffer := make([]byte, 100)
		n, err := c.Read(buffer)
		answer = string(buffer[:n])
		return err
	})
	return answer, err
}

// reaches expects an answer, sooner or later: a packet may be lost on a busy machine.
func reaches(t *testing.T, ns, proto, address, want string) {
	t.Helper()
	var answer string
	var err error
	for range 60 {
		if answer, err = ask(ns, proto, address, time.Second); err == nil {
			break
		}
	}
	require.NoError(t, err, "from %s: %s %s", ns, proto, address)
	assert.Equal(t, want, answer)
}

// misses expects no answer, neither now nor in a moment.
func misses(t *testing.T, ns, address string) {
	t.Helper()
	answer, err := ask(ns, "tcp", address, 300*time.Millisecond)
	require.Error(t, err, "%s answers %q", address, answer)
	require.NotErrorIs(t, err, io.EOF)
}

// ip runs ip(8).
func ip(t *testing.T, args ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ip", args...).CombinedOutput()
	require.NoError(t, err, "ip %v: %s", args, out)
}

// text reads a file.
func text(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(b)
}

// links lists the names of the host's links but its loopback.
func links(t *testing.T) (names []string) {
	t.Helper()
	all, err := net.Interfaces()
	require.NoError(t, err)
	for _, l := range all {
		if l.Name != "lo" {
			names = append(names, l.Name)
		}
	}
	return names
}

// clean expects nothing of ours on the host.
func clean(t *testing.T) {
	t.Helper()
	for _, name := range links(t) {
		assert.False(t, strings.HasPrefix(name, "mini") || strings.HasPrefix(name, "veth"), name)
	}
	assert.Empty(t, chains(t))
}
