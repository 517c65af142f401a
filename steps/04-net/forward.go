package main

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
	"golang.org/x/sys/unix"
)

// openForward lets the containers' packets through the host's own firewall.
// A packet has to be accepted by every chain of the forward hook, so no rule
// in our table could help it: each chain that drops by default gets two rules
// at its top, and in them a comment by which they are found again.
// nft insert rule ip filter FORWARD iifname lab0 accept comment lab0
func openForward(rules *nftables.Conn) error {
	if err := closeForward(rules); err != nil {
		return err
	}
	chains, err := forwardChains(rules)
	if err != nil {
		return err
	}
	for _, chain := range chains {
		if chain.Policy == nil || *chain.Policy != nftables.ChainPolicyDrop {
			continue
		}
		for _, key := range []expr.MetaKey{
			expr.MetaKeyIIFNAME, expr.MetaKeyOIFNAME,
		} {
			rules.InsertRule(&nftables.Rule{
				Table: chain.Table, Chain: chain, UserData: ourComment(),
				Exprs: []expr.Any{
					&expr.Meta{Key: key, Register: 1},
					compare(expr.CmpOpEq, interfaceName()),
					&expr.Counter{},
					&expr.Verdict{Kind: expr.VerdictAccept},
				},
			})
		}
	}
	return nil
}

// closeForward removes our rules from the host's firewall.
func closeForward(rules *nftables.Conn) error {
	chains, err := forwardChains(rules)
	if err != nil {
		return err
	}
	for _, chain := range chains {
		all, err := rules.GetRules(chain.Table, chain)
		if err != nil {
			return fmt.Errorf("nft rules of %s %s: %w",
				chain.Table.Name, chain.Name, err)
		}
		for _, rule := range all {
			if bytes.Equal(rule.UserData, ourComment()) {
				if err := rules.DelRule(rule); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// forwardChains lists the chains that judge forwarded IPv4 packets.
func forwardChains(rules *nftables.Conn) ([]*nftables.Chain, error) {
	chains, err := rules.ListChains()
	if errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.EINVAL) {
		return nil, errNoNftables
	}
	if err != nil {
		return nil, fmt.Errorf("nft chains: %w", cause(err))
	}
	return slices.DeleteFunc(chains, func(c *nftables.Chain) bool {
		family := c.Table.Family
		return c.Type != nftables.ChainTypeFilter || c.Hooknum == nil ||
			*c.Hooknum != *nftables.ChainHookForward ||
			family != nftables.TableFamilyIPv4 &&
				family != nftables.TableFamilyINet
	}), nil
}

// ourComment is what marks a rule in a chain that is not ours.
func ourComment() []byte {
	return userdata.AppendString(nil, userdata.TypeComment, bridgeName)
}
