package main

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

// openWayOut makes the host a router for its containers, one that lends them
// its own address. It runs on the host, for each container anew. What cannot
// be done of it is said; the bridge works without.
func openWayOut(subnet netip.Prefix) {
	err := addRules(subnet)
	if err == nil {
		// Last, for the kernel does not change it while links are changed: it
		// has the call repeated until then.
		// sysctl net.ipv4.ip_forward=1
		err = writeSettings("ip_forward=1")
	}
	if err != nil {
		say(fmt.Errorf("no way out of this host: %w", err), "")
	}
	if err := openLegacyForward(); err != nil {
		say(fmt.Errorf("the way out may be barred: %w", err), "")
	}
}

// addRules adds to the host's rules what is missing of ours, on the host. The
// kernel takes it as one change, or nothing of it.
func addRules(subnet netip.Prefix) error {
	rules := &nftables.Conn{}
	chains, err := listChains(rules)
	if err != nil {
		return err
	}
	there, err := masquerades(rules, chains, subnet)
	if err != nil {
		return err
	}
	if !there {
		masquerade(rules, subnet)
	}
	if err := openForward(rules, chains); err != nil {
		return err
	}
	if err := rules.Flush(); err != nil {
		return fmt.Errorf("nft table ip lab: %w", cause(err))
	}
	return nil
}

// removeRules removes our rules from the host's.
func removeRules() error {
	closeLegacyForward()
	rules := &nftables.Conn{}
	chains, err := listChains(rules)
	if errors.Is(err, errNoNftables) {
		return nil // so we made none
	}
	if err == nil {
		err = closeForward(rules, chains)
	}
	if err != nil {
		return err
	}
	// Only what is there can be deleted, but adding twice does no harm.
	// nft add table ip lab
	// nft delete table ip lab
	rules.DelTable(rules.AddTable(ourTable()))
	if err := rules.Flush(); err != nil {
		return fmt.Errorf("delete nft table ip lab: %w", cause(err))
	}
	return nil
}

// ourTable is the one in which all rules are ours.
func ourTable() *nftables.Table {
	return &nftables.Table{Family: nftables.TableFamilyIPv4, Name: "lab"}
}

// masquerades reports whether the rule for this subnet is there.
func masquerades(
	rules *nftables.Conn, chains []*nftables.Chain, subnet netip.Prefix,
) (bool, error) {
	for _, chain := range chains {
		table := chain.Table
		if table.Name == "lab" && table.Family == nftables.TableFamilyIPv4 {
			found, err := marked(rules, chain, subnet.String())
			return len(found) > 0, err
		}
	}
	return false, nil
}

// masquerade makes packets leave the host as if they were its own: the world
// knows the way back to the host, but none to the containers.
func masquerade(rules *nftables.Conn, subnet netip.Prefix) {
	// nft add table ip lab
	// nft flush table ip lab
	table := rules.AddTable(ourTable())
	rules.FlushTable(table)
	// nft add chain ip lab postrouting '{ type nat hook postrouting
	//   priority srcnat; }'
	chain := rules.AddChain(&nftables.Chain{
		Name:     "postrouting",
		Table:    table,
		Type:     nftables.ChainTypeNAT,
		Hooknum:  nftables.ChainHookPostrouting,
		Priority: nftables.ChainPriorityNATSource,
	})
	// nft add rule ip lab postrouting ip saddr 10.44.0.0/24
	//   oifname != lab0 masquerade comment 10.44.0.0/24
	rules.AddRule(&nftables.Rule{
		Table: table, Chain: chain, UserData: comment(subnet.String()),
		Exprs: []expr.Any{
			// The source address is 4 bytes at offset 12 of the header.
			&expr.Payload{
				DestRegister: 1, Base: expr.PayloadBaseNetworkHeader,
				Offset: 12, Len: 4,
			},
			&expr.Bitwise{
				SourceRegister: 1, DestRegister: 1, Len: 4,
				Mask: mask(subnet), Xor: make([]byte, 4),
			},
			compare(expr.CmpOpEq, subnet.Addr().AsSlice()),
			&expr.Meta{Key: expr.MetaKeyOIFNAME, Register: 1},
			compare(expr.CmpOpNeq, interfaceName()),
			&expr.Masq{},
		},
	})
}
