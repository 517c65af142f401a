package main

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestChooseAddress(t *testing.T) {
	tests := []struct {
		name, asked, subnet, want, err string
		links                          []string
	}{
		{
			"the first is the bridge's", "", "10.44.0.0/24",
			"10.44.0.2/24", "", nil,
		},
		{
			"the lowest that is free", "", "10.44.0.0/24",
			"10.44.0.3/24", "",
			[]string{"lab0-2", "lab0-4"},
		},
		{
			"the one that was asked for", "10.44.0.9/24", "10.44.0.0/24",
			"10.44.0.9/24", "",
			[]string{"lab0-2"},
		},
		{
			"not one that is taken", "10.44.0.9/24", "10.44.0.0/24",
			"", "-ip 10.44.0.9/24: taken by lab0-9",
			[]string{"lab0-9"},
		},
		{
			"over the end of a byte", "", "10.45.1.252/22",
			"10.45.0.2/22", "", nil,
		},
		{
			"the last one is for broadcasts", "", "10.45.1.4/30",
			"", "10.45.1.4/30: no address is free",
			[]string{"lab0-2"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var asked netip.Prefix
			if tt.asked != "" {
				asked = netip.MustParsePrefix(tt.asked)
			}
			links := map[string]bool{"lo": true, bridgeName: true}
			for _, name := range tt.links {
				links[name] = true
			}
			subnet := netip.MustParsePrefix(tt.subnet)
			got, err := chooseAddress(asked, subnet, links)
			if tt.err != "" {
				assert.EqualError(t, err, tt.err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tt.want, got.String())
		})
	}
}

func TestLastAddress(t *testing.T) {
	for subnet, want := range map[string]string{
		"10.44.0.0/24":   "10.44.0.255",
		"10.45.1.0/24":   "10.45.1.255",
		"10.45.1.4/30":   "10.45.1.7",
		"10.45.3.0/22":   "10.45.3.255",
		"10.0.0.0/8":     "10.255.255.255",
		"192.168.1.9/29": "192.168.1.15",
	} {
		got := lastAddress(netip.MustParsePrefix(subnet))
		assert.Equal(t, want, got.String(), subnet)
	}
}

// What -ip accepts is an address that a container can have: one of a subnet
// with a place of its own, for which the port's name is as long as a link's.
func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{
		"10.44.0.2/24", "10.44.0.1/24", "10.255.255.254/8", "10.44.0.2",
		"fe80::1/64", "::ffff:10.44.0.2/120", "127.0.0.2/8", "10.44.0.2/31",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parseAddress(s)
		if err != nil {
			return
		}
		assert.True(t, p.Addr().Is4())
		assert.NotEqual(t, firstAddress(p), p.Addr())
		assert.True(t, firstAddress(p).Less(p.Addr()))
		assert.True(t, p.Addr().Less(lastAddress(p)))
		assert.LessOrEqual(t, len(portName(p)), 15)
	})
}
