package network_test

import (
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"lab/final/internal/network"
	"lab/internal/sandbox"

	"github.com/google/nftables"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// chains lists the chains of our table.
func chains(t *testing.T) (names []string) {
	t.Helper()
	all, err := (&nftables.Conn{}).ListChains()
	require.NoError(t, err)
	for _, c := range all {
		if c.Table.Name == "mini" {
			names = append(names, c.Name)
		}
	}
	return names
}

// A container reaches what the host reaches, although only the host's address is known
// out there, and its ports are reached at the host's addresses from everywhere.
func TestDefaultNetwork(t *testing.T) {
	s := open(t)
	internet := sandbox.Internet(t)
	out := fmt.Sprintf("/proc/self/fd/%d", internet.Handle.Fd())
	c := start(t, "web")
	r := c.request(network.Default)
	r.Ports = ports(t, "8080:80", "5353:53/udp", "127.0.0.1:9090:80", "8000-8001:80-81")
	l := attach(t, s, r)
	assert.Equal(t, "10.77.0.2/24", l.Endpoints[0].Address.String())
	neighbour, _ := up(t, s, "neighbour", network.Default)

	serve(t, c.ns(), "tcp", ":80", "web")
	serve(t, c.ns(), "tcp", ":81", "second")
	serve(t, c.ns(), "udp", ":53", "names")
	serve(t, out, "tcp", ":7", "internet")
	reaches(t, c.ns(), "tcp", sandbox.InternetAddress+":7", "internet")
	for _, from := range []struct{ ns, to string }{
		{host, "127.0.0.1"},
		{host, sandbox.HostAddress},
		{out, sandbox.HostAddress},
		{neighbour.ns(), sandbox.HostAddress},
	} {
		reaches(t, from.ns, "tcp", from.to+":8080", "web")
		reaches(t, from.ns, "udp", from.to+":5353", "names")
		reaches(t, from.ns, "tcp", from.to+":8001", "second")
	}
	reaches(t, host, "tcp", "127.0.0.1:9090", "web")
	misses(t, out, sandbox.HostAddress+":9090")

	require.NoError(t, s.Detach("web"))
	misses(t, host, "127.0.0.1:8080")
	require.NoError(t, s.Detach("neighbour"))
	clean(t)
}

// The bridge lets loopback addresses through for published ports, and a container may
// not make use of it.
func TestHostsLoopbackIsItsOwn(t *testing.T) {
	s := open(t)
	c, _ := up(t, s, "web", network.Default)
	serve(t, host, "tcp", "127.0.0.1:7777", "secret")
	require.NoError(t, within(c.ns(), func() error {
		ip(t, "link", "set", "lo", "down")
		ip(t, "route", "add", "127.0.0.0/8", "via", "10.77.0.1")
		return nil
	}))
	misses(t, c.ns(), "127.0.0.1:7777")
}

// On a network of their own containers know each other by name, as they come and go.
func TestNames(t *testing.T) {
	s := open(t)
	for _, name := range []string{"front", "back"} {
		_, err := s.Create(network.Options{Name: name})
		require.NoError(t, err)
	}
	web, webIP := up(t, s, "web", "front")
	r := start(t, "db")
	request := r.request("back")
	request.Join[0].Aliases = []string{"sql"}
	db := attach(t, s, request)
	assert.NotContains(t, text(t, web.hosts), "db")
	assert.Contains(t, text(t, web.hosts), webIP.String()+"\tweb\n")

	// Networks do not reach each other.
	serve(t, r.ns(), "tcp", ":80", "db")
	misses(t, web.ns(), db.Endpoints[0].Address.Addr().String()+":80")

	require.NoError(t, s.Connect("web", network.Join{Network: "back"}))
	require.ErrorIs(t, s.Connect("web", network.Join{Network: "back"}), network.ErrAttached)
	assert.Contains(t, text(t, web.hosts), db.Endpoints[0].Address.Addr().String()+"\tdb sql\n")
	assert.Contains(t, text(t, r.hosts), "\tweb\n")
	reaches(t, web.ns(), "tcp", db.Endpoints[0].Address.Addr().String()+":80", "db")
	require.ErrorIs(t, s.Remove("back"), network.ErrInUse)

	require.NoError(t, s.Rename("db", "store"))
	assert.Contains(t, text(t, web.hosts), "\tstore db sql\n")
	require.NoError(t, s.Disconnect("web", "back"))
	require.ErrorIs(t, s.Disconnect("web", "back"), network.ErrDetached)
	assert.NotContains(t, text(t, web.hosts), "store")
	misses(t, web.ns(), db.Endpoints[0].Address.Addr().String()+":80")
	require.NoError(t, s.Detach("db"))
	gone, err := s.Prune()
	require.NoError(t, err)
	assert.Equal(t, []string{"back"}, gone)
}

// What a dead container had is free for the next one, and its ports are closed.
func TestDeadContainer(t *testing.T) {
	s := open(t)
	_, err := s.Create(network.Options{Name: "web"})
	require.NoError(t, err)
	one := start(t, "one")
	r := one.request("web")
	r.Ports = ports(t, "8080:80")
	first, err := s.Attach(r)
	require.NoError(t, err)
	two := start(t, "two")
	r = two.request("web")
	r.Ports = ports(t, "8080:80")
	_, err = s.Attach(r)
	require.ErrorIs(t, err, network.ErrTaken)
	require.ErrorContains(t, err, "port 0.0.0.0:8080/tcp: taken by one")
	one.kill()
	second := attach(t, s, r)
	assert.Equal(t, first.Endpoints[0].Address, second.Endpoints[0].Address)
	serve(t, two.ns(), "tcp", ":80", "two")
	reaches(t, host, "tcp", "127.0.0.1:8080", "two")
	assert.NotContains(t, text(t, two.hosts), "one")

	// Any later command sees to what the dead left.
	two.kill()
	require.NoError(t, s.Remove("web"))
	clean(t)
	leases, err := s.Leases()
	require.NoError(t, err)
	assert.Empty(t, leases)
}

// All of what is asked for, or nothing.
func TestRefusedIsUndone(t *testing.T) {
	s := open(t)
	_, err := s.Create(network.Options{Name: "tiny", Subnet: netip.MustParsePrefix("10.9.9.0/30")})
	require.NoError(t, err)
	up(t, s, "one", "tiny")
	before := append(links(t), chains(t)...)
	two := start(t, "two")
	for name, r := range map[string]network.Request{
		"no address is free": two.request(network.Default, "tiny"),
		"no such network":    two.request(network.Default, "none-such"),
		"process is gone":    {ID: "x", Name: "x", PID: 1 << 30},
	} {
		_, err := s.Attach(r)
		require.ErrorContains(t, err, name)
		assert.Equal(t, before, append(links(t), chains(t)...), name)
		_, ok, err := s.Lease("two")
		require.NoError(t, err)
		assert.False(t, ok)
	}
}

// A port that a program of the host has is taken; one that is not named is a free one.
func TestPorts(t *testing.T) {
	s := open(t)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	busy := l.Addr().(*net.TCPAddr).Port
	c := start(t, "web")
	r := c.request(network.Default)
	r.Ports = ports(t, fmt.Sprintf("%d:80", busy))
	_, err = s.Attach(r)
	require.ErrorIs(t, err, network.ErrTaken)
	require.ErrorContains(t, err, "by a program of this host")
	r.Ports = ports(t, "192.0.2.1:80:80")
	_, err = s.Attach(r)
	require.ErrorContains(t, err, "this host has no such address")
	r.Ports = ports(t, "8080:80", "8080:81")
	_, err = s.Attach(r)
	require.ErrorContains(t, err, "taken by this container")

	r.Ports = ports(t, "80", "81")
	lease := attach(t, s, r)
	require.Len(t, lease.Ports, 2)
	assert.NotEqual(t, lease.Ports[0].Host, lease.Ports[1].Host)
	serve(t, c.ns(), "tcp", ":81", "second")
	reaches(t, host, "tcp", fmt.Sprintf("127.0.0.1:%d", lease.Ports[1].Host), "second")
}

// Containers that start at the same time get different addresses, whatever store object
// is asked, and nothing is left of them.
func TestManyAtOnce(t *testing.T) {
	s := open(t)
	dir := filepath.Join(t.TempDir(), "networks")
	const many = 12
	requests := make([]network.Request, many)
	for i := range requests {
		requests[i] = start(t, fmt.Sprintf("c%d", i)).request(network.Default)
		requests[i].Ports = ports(t, "80")
	}
	leases := make([]network.Lease, many)
	errs := make([]error, many)
	var wg sync.WaitGroup
	for i, r := range requests {
		wg.Go(func() {
			other, err := network.Open(dir)
			if err == nil {
				leases[i], err = other.Attach(r)
			}
			errs[i] = err
		})
	}
	wg.Wait()
	addresses, published := map[netip.Prefix]bool{}, map[uint16]bool{}
	for i, l := range leases {
		require.NoError(t, errs[i])
		addresses[l.Endpoints[0].Address] = true
		published[l.Ports[0].Host] = true
	}
	assert.Len(t, addresses, many)
	assert.Len(t, published, many)
	for _, r := range requests {
		wg.Go(func() {
			other, err := network.Open(dir)
			if err == nil {
				err = other.Detach(r.ID)
			}
			assert.NoError(t, err)
		})
	}
	wg.Wait()
	clean(t)
	require.NoError(t, s.Detach("c0")) // of another store: there is nothing
}

// Two stores on one host keep out of each other's way.
func TestTwoStores(t *testing.T) {
	a, b := open(t), open(t)
	one, oneIP := up(t, a, "one", network.Default)
	two, twoIP := up(t, b, "two", network.Default)
	assert.NotEqual(t, oneIP, twoIP)
	serve(t, one.ns(), "tcp", ":80", "one")
	reaches(t, host, "tcp", oneIP.String()+":80", "one")
	misses(t, two.ns(), oneIP.String()+":80")
	require.NoError(t, b.Detach("two"))
	reaches(t, host, "tcp", oneIP.String()+":80", "one")
	bridge, err := a.Bridge(network.Default)
	require.NoError(t, err)
	assert.Equal(t, "mini0", bridge)
	require.NoError(t, a.Detach("one"))
	clean(t)
}

// docker's firewall drops what is forwarded unless it says otherwise. Our packets pass,
// and its rules are its own again when we are gone.
func TestBesideDocker(t *testing.T) {
	s := open(t)
	internet := sandbox.Internet(t)
	out := fmt.Sprintf("/proc/self/fd/%d", internet.Handle.Fd())
	policy := nftables.ChainPolicyDrop
	conn := &nftables.Conn{}
	filter := conn.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: "filter"})
	forward := conn.AddChain(&nftables.Chain{
		Name: "FORWARD", Table: filter, Policy: &policy, Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookForward, Priority: nftables.ChainPriorityFilter,
	})
	require.NoError(t, conn.Flush())
	t.Cleanup(func() {
		conn.DelTable(filter)
		assert.NoError(t, conn.Flush())
	})
	c := start(t, "web")
	r := c.request(network.Default)
	r.Ports = ports(t, "8080:80")
	attach(t, s, r)
	serve(t, c.ns(), "tcp", ":80", "web")
	serve(t, out, "tcp", ":7", "internet")
	reaches(t, c.ns(), "tcp", sandbox.InternetAddress+":7", "internet")
	reaches(t, out, "tcp", sandbox.HostAddress+":8080", "web")
	require.NoError(t, s.Detach("web"))
	rules, err := conn.GetRules(filter, forward)
	require.NoError(t, err)
	assert.Empty(t, rules)
	clean(t)
}

// A network without a way out has none, and still joins those on it.
func TestInternal(t *testing.T) {
	s := open(t)
	internet := sandbox.Internet(t)
	serve(t, fmt.Sprintf("/proc/self/fd/%d", internet.Handle.Fd()), "tcp", ":7", "internet")
	_, err := s.Create(network.Options{Name: "inner", Internal: true})
	require.NoError(t, err)
	one, _ := up(t, s, "one", "inner")
	two, address := up(t, s, "two", "inner")
	serve(t, two.ns(), "tcp", ":80", "two")
	reaches(t, one.ns(), "tcp", address.String()+":80", "two")
	misses(t, one.ns(), sandbox.InternetAddress+":7")
	require.NoError(t, within(one.ns(), func() error {
		ip(t, "route", "add", "default", "via", "10.77.0.1")
		return nil
	}))
	misses(t, one.ns(), sandbox.InternetAddress+":7")
}

// Without a network there is the loopback.
func TestNone(t *testing.T) {
	s := open(t)
	c := start(t, "web")
	attach(t, s, c.request())
	serve(t, c.ns(), "tcp", "127.0.0.1:80", "web")
	reaches(t, c.ns(), "tcp", "127.0.0.1:80", "web")
	clean(t)
}

// The default network gives way to what the host has come to use its addresses for.
func TestDodge(t *testing.T) {
	s := open(t)
	before, err := s.Inspect(network.Default)
	require.NoError(t, err)
	ip(t, "link", "add", "lan0", "type", "veth", "peer", "lan1")
	t.Cleanup(func() { assert.NoError(t, exec.Command("ip", "link", "delete", "lan0").Run()) })
	ip(t, "address", "add", before.Subnet.Addr().Next().String()+"/16", "dev", "lan0")
	_, address := up(t, s, "web", network.Default)
	assert.False(t, before.Subnet.Contains(address))
	_, err = s.Create(network.Options{Name: "lan", Subnet: before.Subnet})
	require.ErrorIs(t, err, network.ErrTaken)
	assert.True(t, strings.HasPrefix(address.String(), "10.78."))
}
