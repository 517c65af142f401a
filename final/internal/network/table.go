package network

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// syncHost makes bridges and rules what the leases of the living need, no more and no
// less.
func (s *Store) syncHost(all []Lease) error {
	h, err := openLinks()
	if err != nil {
		return err
	}
	defer h.Close()
	used, unused, err := s.sortNetworks(h, all)
	if err != nil {
		return err
	}
	// Neither of the two needs the other, and the kernel is slow at both.
	dropped := make(chan error)
	go func() { dropped <- s.dropBridges(unused) }()
	err = s.syncRules(compile(used, all), used, unused)
	return errors.Join(err, <-dropped)
}

// dropBridges removes the bridges of networks that nobody is on.
func (s *Store) dropBridges(unused []link) error {
	for _, l := range unused {
		if err := s.dropBridge(l.Name); err != nil {
			return err
		}
	}
	return nil
}

// sortNetworks tells which networks have containers on them, and which have none.
func (s *Store) sortNetworks(h *netlink.Handle, all []Lease) (used, unused []link, err error) {
	networks, err := s.List()
	if err != nil {
		return nil, nil, err
	}
	for _, n := range networks {
		bridge, err := s.bridgeName(h, n.Name)
		if err != nil {
			return nil, nil, err
		}
		if len(members(all, n.Name)) > 0 {
			used = append(used, link{n, bridge})
		} else {
			unused = append(unused, link{n, bridge})
		}
	}
	return used, unused, nil
}

// ourTable is the one in which all rules are ours.
func ourTable() *nftables.Table {
	return &nftables.Table{Family: nftables.TableFamilyIPv4, Name: "mini"}
}

// isOurs reports whether a chain is of our table.
func isOurs(c *nftables.Chain) bool {
	return c.Table.Name == "mini" && c.Table.Family == nftables.TableFamilyIPv4
}

// chainName is what a store's chain is called: stores that share a host share the
// table.
func (s *Store) chainName(name string) string { return name + "-" + hash(s.dir) }

// table is our table as it is: this store's chains, whether others have any, and the
// chain whose name tells how the host was before.
type table struct {
	ours   []*nftables.Chain
	shared bool
	before string
}

// look finds our table among all chains.
func (s *Store) look(chains []*nftables.Chain) (t table) {
	for _, c := range chains {
		switch {
		case !isOurs(c):
		case strings.HasPrefix(c.Name, beforePrefix):
			t.before = c.Name
		case strings.HasSuffix(c.Name, s.chainName("")):
			t.ours = append(t.ours, c)
		default:
			t.shared = true
		}
	}
	return t
}

// says reports whether the table has this store's rules with this sum: a chain without
// rules tells by its name what the others say.
func (t table) says(sum string) bool {
	return slices.ContainsFunc(t.ours, func(c *nftables.Chain) bool { return c.Name == sum })
}

// syncRules replaces this store's rules in one transaction, unless they are as they
// should be.
func (s *Store) syncRules(want ruleset, used, unused []link) error {
	conn := &nftables.Conn{}
	chains, err := listChains(conn)
	if len(used) == 0 && (errors.Is(err, ErrNoNftables) || errors.Is(err, unix.EPERM)) {
		return nil // so we made none
	}
	if err != nil {
		return err
	}
	if err := syncForward(conn, chains, used, unused); err != nil {
		return err
	}
	now, text := s.look(chains), want.String()
	sum := s.chainName("sum-" + hash(text))
	switch {
	case text == "":
		if !now.shared {
			// First, for the table knows how it was: whoever is killed leaves it to the next.
			if err := restore(now.before); err != nil {
				return err
			}
		}
		drop(conn, now)
	case !now.says(sum):
		s.replace(conn, want, now, sum)
	}
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("nft table ip mini: %w", err)
	}
	if text == "" {
		return nil
	}
	// sysctl net.ipv4.ip_forward=1
	return writeSetting("ip_forward", "1")
}

// drop queues the removal of a store's chains, and of the table with the last of them.
func drop(conn *nftables.Conn, now table) {
	for _, c := range now.ours {
		// nft delete chain ip mini NAME
		conn.FlushChain(c)
		conn.DelChain(c)
	}
	if len(now.ours) > 0 && !now.shared {
		// nft delete table ip mini
		conn.DelTable(ourTable())
	}
}

// replace queues the change from the old chains to new ones.
func (s *Store) replace(conn *nftables.Conn, want ruleset, now table, sum string) {
	// nft add table ip mini
	t := conn.AddTable(ourTable())
	drop(conn, table{ours: now.ours, shared: true})
	for _, c := range want.chains() {
		if len(c.rules) == 0 {
			continue
		}
		// nft add chain ip mini NAME '{ type nat hook prerouting priority dstnat; }'
		chain := conn.AddChain(&nftables.Chain{
			Name: s.chainName(c.name), Table: t, Type: c.kind, Hooknum: c.hook,
			Priority: c.priority,
		})
		for _, r := range c.rules {
			conn.AddRule(&nftables.Rule{Table: t, Chain: chain, Exprs: r.exprs})
		}
	}
	conn.AddChain(&nftables.Chain{Name: sum, Table: t})
	if now.before == "" {
		conn.AddChain(&nftables.Chain{Name: settingsNow(), Table: t})
	}
}

// listChains lists the chains of the host's nftables.
//
//	nft list chains
func listChains(conn *nftables.Conn) ([]*nftables.Chain, error) {
	chains, err := conn.ListChains()
	if errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.EOPNOTSUPP) ||
		errors.Is(err, unix.EINVAL) {
		return nil, ErrNoNftables
	}
	if err != nil {
		return nil, fmt.Errorf("nft chains: %w", err)
	}
	return chains, nil
}

// syncForward lets the bridges' packets through other people's firewalls. A packet has
// to be accepted by every chain of the forward hook, so no rule in our table could help
// it: each chain that drops by default gets two rules at its top for a bridge, marked by
// the bridge's name, and they go with the bridge.
//
//	nft insert rule ip filter FORWARD iifname mini0 accept comment mini0
func syncForward(conn *nftables.Conn, chains []*nftables.Chain, used, unused []link) error {
	for _, c := range chains {
		if isOurs(c) || !judgesForwarded(c) {
			continue
		}
		rules, err := conn.GetRules(c.Table, c)
		if err != nil {
			return fmt.Errorf("nft rules of %s %s: %w", c.Table.Name, c.Name, err)
		}
		drops := c.Policy != nil && *c.Policy == nftables.ChainPolicyDrop
		for _, l := range used {
			if drops && len(marked(rules, l.bridge)) == 0 {
				letThrough(conn, c, l.bridge)
			}
		}
		for _, l := range unused {
			if err := deleteRules(conn, marked(rules, l.bridge)); err != nil {
				return err
			}
		}
	}
	return nil
}

// deleteRules queues the removal of rules.
func deleteRules(conn *nftables.Conn, rules []*nftables.Rule) error {
	for _, r := range rules {
		if err := conn.DelRule(r); err != nil {
			return err
		}
	}
	return nil
}

// letThrough adds the two rules for a bridge at the top of a chain.
func letThrough(conn *nftables.Conn, c *nftables.Chain, bridge string) {
	for _, r := range []rule{
		join(from(bridge), verdict(expr.VerdictAccept)),
		join(into(bridge), verdict(expr.VerdictAccept)),
	} {
		conn.InsertRule(&nftables.Rule{
			Table: c.Table, Chain: c, UserData: comment(bridge), Exprs: r.exprs,
		})
	}
}

// judgesForwarded reports whether a chain decides on forwarded IPv4 packets.
func judgesForwarded(c *nftables.Chain) bool {
	family := c.Table.Family
	return c.Type == nftables.ChainTypeFilter && c.Hooknum != nil &&
		*c.Hooknum == *nftables.ChainHookForward &&
		(family == nftables.TableFamilyIPv4 || family == nftables.TableFamilyINet)
}

// marked returns those of the rules that have this comment.
func marked(rules []*nftables.Rule, text string) []*nftables.Rule {
	var found []*nftables.Rule
	for _, r := range rules {
		if bytes.Equal(r.UserData, comment(text)) {
			found = append(found, r)
		}
	}
	return found
}

// comment is the text that a rule shows as its comment.
func comment(text string) []byte {
	return userdata.AppendString(nil, userdata.TypeComment, text)
}
