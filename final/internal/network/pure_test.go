package network

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParsePorts(t *testing.T) {
	tests := []struct{ text, want string }{
		{"80", "0.0.0.0:0->80/tcp"},
		{"8080:80", "0.0.0.0:8080->80/tcp"},
		{"8080:80/udp", "0.0.0.0:8080->80/udp"},
		{"127.0.0.1:8080:80", "127.0.0.1:8080->80/tcp"},
		{"127.0.0.1::80", "127.0.0.1:0->80/tcp"},
		{"0.0.0.0:1:2", "0.0.0.0:1->2/tcp"},
		{"8000-8001:80-81", "0.0.0.0:8000->80/tcp 0.0.0.0:8001->81/tcp"},
		{"80-81", "0.0.0.0:0->80/tcp 0.0.0.0:0->81/tcp"},
		{"65535:65535", "0.0.0.0:65535->65535/tcp"},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			got, err := ParsePorts(tt.text)
			require.NoError(t, err)
			var texts []string
			for _, p := range got {
				texts = append(texts, p.String())
			}
			assert.Equal(t, tt.want, strings.Join(texts, " "))
		})
	}
}

func TestParsePortsRefuses(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", `"" is not a port`},
		{"web", `"web" is not a port from 1 to 65535`},
		{"0:80", `"0" is not a port`},
		{"65536:80", `"65536" is not a port`},
		{":80", `"" is not a port`},
		{"80/sctp", `protocol "sctp" is neither tcp nor udp`},
		{"[::1]:80:80", "IPv6 is not supported"},
		{"localhost:80:80", `"localhost" is not an address`},
		{"1:2:3:4", "expected [[IP:]HOST:]CONTAINER"},
		{"8000-8002:80-81", "3 ports of the host for 2 of the container"},
		{"81-80", "ends before it begins"},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			_, err := ParsePorts(tt.text)
			require.ErrorContains(t, err, tt.want)
			require.ErrorContains(t, err, "port ")
		})
	}
}

func FuzzParsePorts(f *testing.F) {
	for _, seed := range []string{"80", "127.0.0.1:8000-8001:80-81/udp", "::80", "1-65535"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ParsePorts(text)
		if err != nil {
			return
		}
		for _, p := range got {
			// What was read can be written and read again.
			again, err := ParsePorts(strings.ReplaceAll(p.String(), "->", ":"))
			if p.Host != 0 && (err != nil || again[0] != p) {
				t.Errorf("%q: %v: %v, %v", text, p, again, err)
			}
		}
	})
}

func TestParseMode(t *testing.T) {
	for text, want := range map[string]Mode{
		"":              {Kind: Bridge, Name: Default},
		"default":       {Kind: Bridge, Name: Default},
		"bridge":        {Kind: Bridge, Name: Default},
		"web":           {Kind: Bridge, Name: "web"},
		"host":          {Kind: Host},
		"none":          {Kind: None},
		"container:web": {Kind: Shared, Container: "web"},
	} {
		got, err := ParseMode(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got)
	}
	for _, text := range []string{"container:", "../x", "a b", "-x"} {
		_, err := ParseMode(text)
		require.Error(t, err, text)
	}
}

func TestPickSubnet(t *testing.T) {
	got, err := pickSubnet(netip.Prefix{}, nil)
	require.NoError(t, err)
	assert.Equal(t, "10.77.0.0/24", got.String())
	taken := []netip.Prefix{
		netip.MustParsePrefix("10.77.0.0/25"), netip.MustParsePrefix("10.77.1.77/32"),
	}
	got, err = pickSubnet(netip.Prefix{}, taken)
	require.NoError(t, err)
	assert.Equal(t, "10.77.2.0/24", got.String())
	_, err = pickSubnet(netip.Prefix{}, []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")})
	require.ErrorContains(t, err, "choose one with --subnet")
	_, err = pickSubnet(netip.MustParsePrefix("10.77.0.0/24"), taken)
	require.ErrorIs(t, err, ErrTaken)
	for text, want := range map[string]string{
		"10.0.0.1/24":  "the network's own address is 10.0.0.0/24",
		"10.0.0.0/31":  "a subnet is of /8 to /30",
		"fd00::/64":    "not IPv4",
		"127.0.0.0/24": "not addresses for containers",
	} {
		_, err = pickSubnet(netip.MustParsePrefix(text), nil)
		require.ErrorContains(t, err, want)
	}
}

func TestPickAddress(t *testing.T) {
	subnet := netip.MustParsePrefix("10.0.0.0/29")
	n := Network{Subnet: subnet, Gateway: first(subnet)}
	taken := map[netip.Addr]string{}
	var got []string
	for {
		a, err := pickAddress(n, netip.Addr{}, taken)
		if err != nil {
			require.ErrorIs(t, err, ErrExhausted)
			break
		}
		taken[a] = "web"
		got = append(got, a.String())
	}
	assert.Equal(t, "10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6", strings.Join(got, " "))
	for text, want := range map[string]string{
		"10.0.0.0": "of the network itself",
		"10.0.0.1": "taken by the bridge",
		"10.0.0.2": "taken by web",
		"10.0.0.7": "the broadcast address",
		"10.0.1.1": "not in the subnet",
	} {
		_, err := pickAddress(n, netip.MustParseAddr(text), taken)
		require.ErrorContains(t, err, want)
	}
}

func TestParseHost(t *testing.T) {
	e, err := ParseHost("db:10.0.0.1")
	require.NoError(t, err)
	assert.Equal(t, "10.0.0.1 [db]", e.IP.String()+" ["+e.Names[0]+"]")
	e, err = ParseHost("db:[::1]")
	require.NoError(t, err)
	assert.Equal(t, "::1", e.IP.String())
	e, err = ParseHost("db:host-gateway")
	require.NoError(t, err)
	assert.True(t, e.Gateway)
	for _, text := range []string{"", "db", ":10.0.0.1", "db:x", "a b:10.0.0.1"} {
		_, err = ParseHost(text)
		require.Error(t, err, text)
	}
}

// place is a container on networks.
func place(id string, networks ...string) Lease {
	l := Lease{ID: id, Name: id, Hostname: id}
	for i, n := range networks {
		l.Endpoints = append(l.Endpoints, Endpoint{
			Network: n, Gateway: netip.AddrFrom4([4]byte{10, byte(i), 0, 1}),
			Address: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i), 0, id[0]}), 24),
		})
	}
	return l
}

func TestHosts(t *testing.T) {
	a, b, c := place("a", "front", Default), place("b", "front"), place("c", Default)
	a.Hostname = "web.example"
	a.Extra = []Entry{{Gateway: true, Names: []string{"host"}}}
	b.Endpoints[0].Aliases = []string{"sql", "b"}
	want := "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n" +
		"10.0.0.1\thost\n10.0.0.97\tweb.example a\n10.1.0.97\tweb.example a\n" +
		"10.0.0.98\tb sql\n"
	assert.Equal(t, want, HostsText(a.hosts([]Lease{a, b, c})...))
	assert.NotContains(t, HostsText(c.hosts([]Lease{a, b, c})...), "\ta")
}

func TestResolv(t *testing.T) {
	host := "# made by hand\nnameserver 127.0.0.53\nnameserver 192.0.2.53\nsearch example.org\n"
	kept, ok := reachable(host)
	assert.True(t, ok)
	assert.Equal(t, "# made by hand\nnameserver 192.0.2.53\nsearch example.org\n", kept)
	_, ok = reachable("nameserver ::1\n")
	assert.False(t, ok)
	dns := DNS{
		Servers: []netip.Addr{netip.MustParseAddr("192.0.2.1")}, Search: []string{"a", "b"},
		Options: []string{"ndots:2"},
	}
	assert.Equal(t, "# made by hand\nnameserver 192.0.2.1\nsearch a b\noptions ndots:2\n",
		dns.over(kept))
}

func TestRules(t *testing.T) {
	front := Network{Name: "front", Subnet: netip.MustParsePrefix("10.0.0.0/24")}
	back := Network{
		Name: "back", Subnet: netip.MustParsePrefix("10.1.0.0/24"), Internal: true,
	}
	links := []link{{front, "mini-1"}, {back, "mini-2"}}
	web := place("a", "front")
	web.Ports = []Port{
		{Proto: "tcp", Host: 8080, Container: 80},
		{Proto: "udp", HostIP: netip.MustParseAddr("127.0.0.1"), Host: 53, Container: 53},
	}
	want := `guard: iifname "mini-1" ip daddr 127.0.0.0/8 drop
guard: iifname "mini-2" ip daddr 127.0.0.0/8 drop
prerouting: fib daddr type local tcp dport 8080 dnat to 10.0.0.97:80
prerouting: ip daddr 127.0.0.1/32 udp dport 53 dnat to 10.0.0.97:53
output: fib daddr type local tcp dport 8080 dnat to 10.0.0.97:80
output: ip daddr 127.0.0.1/32 udp dport 53 dnat to 10.0.0.97:53
forward: iifname "mini-1" oifname != "mini-1" oifname "mini*" ct status & dnat == 0 drop
forward: iifname "mini-2" oifname != "mini-2" drop
forward: iifname != "mini-2" oifname "mini-2" drop
postrouting: ip saddr 10.0.0.0/24 oifname != "mini-1" masquerade
postrouting: ip saddr 127.0.0.0/8 oifname "mini-1" masquerade
postrouting: ip saddr 10.0.0.0/24 oifname "mini-1" ct status dnat masquerade
postrouting: ip saddr 127.0.0.0/8 oifname "mini-2" masquerade
postrouting: ip saddr 10.1.0.0/24 oifname "mini-2" ct status dnat masquerade
`
	assert.Equal(t, want, compile(links, []Lease{web}).String())
	assert.Empty(t, compile(nil, nil).String())
}

func TestNamesOfNetworks(t *testing.T) {
	for _, name := range []string{"", "..", "a/b", "host", "none", "bridge", "default", "-x"} {
		require.Error(t, checkName(name), name)
	}
	require.NoError(t, checkName("web_1.x-y"))
}
