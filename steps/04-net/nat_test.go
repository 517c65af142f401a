package main

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"lab/internal/check"
	"lab/internal/check/checktest"
	"lab/internal/need"
	"lab/internal/sandbox"

	"github.com/google/nftables"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// limited is a context for what has to be true soon.
func limited(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// tool runs a program of the host and returns what it printed.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(limited(t), name, args...).Output()
	require.NoError(t, err, "%s %v", name, args)
	return string(out)
}

// answered lets a container ping the internet, which knows no way to it.
func answered(t *testing.T, s *check.Subject) {
	t.Helper()
	r := ping(t, s, sandbox.InternetAddress)
	assert.Equal(t, 0, r.Status, r.Stdout)
	assert.Empty(t, r.Stderr)
}

// A container reaches what the host reaches. The answers come back, although
// only the host's address is known out there.
func TestWayOut(t *testing.T) {
	need.Net(t)
	s := checktest.Subject(t, program)
	unchanged(t)
	sandbox.Internet(t)
	answered(t, s)
}

// drop makes a chain that drops what is forwarded, as docker's iptables does.
func drop(t *testing.T, table *nftables.Table, chain string) {
	t.Helper()
	policy := nftables.ChainPolicyDrop
	rules := &nftables.Conn{}
	rules.AddChain(&nftables.Chain{
		Name: chain, Table: rules.AddTable(table), Policy: &policy,
		Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookForward,
		Priority: nftables.ChainPriorityFilter,
	})
	require.NoError(t, rules.Flush())
	t.Cleanup(func() {
		rules.DelTable(table)
		assert.NoError(t, rules.Flush())
	})
}

// Where the firewall drops what is forwarded the containers' packets get
// through, as long as there are containers.
func TestForwardDropped(t *testing.T) {
	need.Net(t)
	s := checktest.Subject(t, program)
	sandbox.Internet(t)
	drop(t, &nftables.Table{
		Family: nftables.TableFamilyIPv4, Name: "filter",
	}, "FORWARD")
	drop(t, &nftables.Table{
		Family: nftables.TableFamilyINet, Name: "fence",
	}, "forward")
	unchanged(t)
	answered(t, s)
}

// iptables lists its table with our two rules in it, and without them after.
func TestIptablesListsItsTable(t *testing.T) {
	need.Net(t)
	name := need.Tool(t, "iptables-nft", "iptables")
	s := checktest.Subject(t, program)
	tool(t, name, "-P", "FORWARD", "DROP")
	t.Cleanup(func() {
		rules := &nftables.Conn{}
		rules.DelTable(&nftables.Table{
			Family: nftables.TableFamilyIPv4, Name: "filter",
		})
		assert.NoError(t, rules.Flush())
	})
	before := tool(t, name, "-S", "FORWARD")
	unchanged(t)
	h, err := s.Hold(t.Context(), false)
	require.NoError(t, err)
	during := tool(t, name, "-S", "FORWARD")
	_, err = h.Stop(t.Context())
	require.NoError(t, err)
	const ours = "-m comment --comment lab0 -j ACCEPT\n"
	assert.Equal(t, before+"-A FORWARD -o lab0 "+ours+
		"-A FORWARD -i lab0 "+ours, during)
	assert.Equal(t, before, tool(t, name, "-S", "FORWARD"))
}

// The older iptables is asked to let the packets through, if it has rules.
// This comes last: the kernel keeps an empty table for it from then on.
func TestLegacyForwardDropped(t *testing.T) {
	need.Net(t)
	need.RealRoot(t) // others may not read which tables there are
	name := need.Tool(t, "iptables-legacy", "iptables")
	s := checktest.Subject(t, program)
	sandbox.Internet(t)
	if out, err := exec.CommandContext(t.Context(), name,
		"-P", "FORWARD", "DROP").CombinedOutput(); err != nil {
		t.Skip("need ip_tables: " + strings.TrimSpace(string(out)))
	}
	t.Cleanup(func() {
		assert.NoError(t, exec.Command(name, "-P", "FORWARD", "ACCEPT").Run())
	})
	before := tool(t, name, "-S")
	unchanged(t)
	answered(t, s)
	assert.Equal(t, before, tool(t, name, "-S"))

	// Without the tool nothing can be done about it, but said.
	t.Setenv("PATH", os.DevNull)
	r := ping(t, s, "10.44.0.1")
	assert.Equal(t, 0, r.Status, r.Stdout)
	assert.Equal(t, "04-net: the way out may be barred: "+
		"iptables-legacy is not here to look after its rules\n", r.Stderr)
}
