package main_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestVolumesOfTheCommandLine(t *testing.T) {
	m := newMini(t)
	noVolume := "mini: volume \"nix\": there is no such volume\nhint: mini volume ls lists all\n"
	for _, tt := range []struct {
		want   string
		status int
		args   []string
	}{
		{"data\n", 0, []string{"create", "--label", "a=b", "data"}},
		{"mini: volume \"data\": there is one of that name\n", 1, []string{"create", "data"}},
		{"data\n", 0, []string{"ls", "-q"}},
		{noVolume, 1, []string{"inspect", "nix"}},
		{"", 0, []string{"prune", "-f"}},
		{"data\n" + noVolume, 1, []string{"rm", "data", "nix"}},
		{"[]\n", 0, []string{"ls", "--json"}},
		{
			"mini: usage: mini volume has no verb \"list\"\nhint: mini volume --help\n",
			2,
			[]string{"list"},
		},
	} {
		r := m.do(append([]string{"volume"}, tt.args...)...)
		assert.Equal(t, tt.want, r.out+r.err, tt.args)
		assert.Equal(t, tt.status, r.status, tt.args)
	}
}

func TestNetworksOfTheCommandLine(t *testing.T) {
	m := newMini(t)
	for _, tt := range []struct {
		want   string
		status int
		args   []string
	}{
		{"web\n", 0, []string{"create", "--subnet", "198.18.7.0/24", "--internal", "web"}},
		{"mini: network \"web\": there is one of that name\n", 1, []string{"create", "web"}},
		{
			"mini: usage: --subnet \"x\": expected such as 10.9.0.0/24\n",
			2,
			[]string{"create", "--subnet", "x", "y"},
		},
		{"bridge\nweb\nhost\nnone\n", 0, []string{"ls", "-q"}},
		{
			"mini: network connect db: container \"db\": there is no such container\n" +
				"hint: mini ps -a lists all containers\n",
			1,
			[]string{"connect", "web", "db"},
		},
		{
			"web\nmini: network \"bridge\": the name is kept for one that is always there\n",
			1,
			[]string{"rm", "web", "bridge"},
		},
	} {
		r := m.do(append([]string{"network"}, tt.args...)...)
		assert.Equal(t, tt.want, r.out+r.err, tt.args)
		assert.Equal(t, tt.status, r.status, tt.args)
	}
}
