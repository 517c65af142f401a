package main

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
	"golang.org/x/sys/unix"
)

// openForward lets the containers' packets through the host's own firewall, on
// the host. A packet has to be accepted by every chain of the forward hook, so
// no rule in our table could help it: each chain that drops by default gets
// two rules at its top, marked by a comment.
//
//	nft insert rule ip filter FORWARD iifname lab0 accept comment lab0
func openForward(rules *nftables.Conn, chains []*nftables.Chain) error {
	for _, chain := range chains {
		if !judgesForwarded(chain) || chain.Policy == nil ||
			*chain.Policy != nftables.ChainPolicyDrop {
			continue
		}
		ours, err := marked(rules, chain, bridgeName)
		if err != nil {
			return err
		}
		if len(ours) > 0 {
			continue // a container before this one has made them
		}
		for _, key := range []expr.MetaKey{
			expr.MetaKeyIIFNAME, expr.MetaKeyOIFNAME,
		} {
			rules.InsertRule(&nftables.Rule{
				Table: chain.Table, Chain: chain, UserData: comment(bridgeName),
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

// closeForward removes our rules from the host's firewall, on the host.
func closeForward(rules *nftables.Conn, chains []*nftables.Chain) error {
	for _, chain := range chains {
		if !judgesForwarded(chain) {
			continue
		}
		ours, err := marked(rules, chain, bridgeName)
		if err != nil {
			return err
		}
		for _, rule := range ours {
			if err := rules.DelRule(rule); err != nil {
				return err
			}
		}
	}
	return nil
}

// listChains lists the chains of the host's nftables.
//
//	nft list chains
func listChains(rules *nftables.Conn) ([]*nftables.Chain, error) {
	chains, err := rules.ListChains()
	if errors.Is(err, unix.EPROTONOSUPPORT) ||
		errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EINVAL) {
		return nil, errNoNftables
	}
	if err != nil {
		return nil, fmt.Errorf("nft chains: %w", cause(err))
	}
	return chains, nil
}

// judgesForwarded reports whether a chain decides on forwarded IPv4 packets.
func judgesForwarded(c *nftables.Chain) bool {
	family := c.Table.Family
	return c.Type == nftables.ChainTypeFilter && c.Hooknum != nil &&
		*c.Hooknum == *nftables.ChainHookForward &&
		(family == nftables.TableFamilyIPv4 ||
			family == nftables.TableFamilyINet)
}

// marked lists the rules of a chain that have this comment.
func marked(
	rules *nftables.Conn, chain *nftables.Chain, text string,
) (found []*nftables.Rule, err error) {
	all, err := rules.GetRules(chain.Table, chain)
	if err != nil {
		return nil, fmt.Errorf("nft rules of %s %s: %w", chain.Table.Name,
			chain.Name, cause(err))
	}
	for _, rule := range all {
		if bytes.Equal(rule.UserData, comment(text)) {
			found = append(found, rule)
		}
	}
	return found, nil
}

// comment is the text that a rule shows as its comment.
func comment(text string) []byte {
	return userdata.AppendString(nil, userdata.TypeComment, text)
}

// compare goes on with a rule only if register 1 compares so.
func compare(op expr.CmpOp, with []byte) expr.Any {
	return &expr.Cmp{Op: op, Register: 1, Data: with}
}

// interfaceName is lab0 as the kernel keeps it: padded with zeros.
func interfaceName() []byte {
	name := make([]byte, unix.IFNAMSIZ)
	copy(name, bridgeName)
	return name
}
