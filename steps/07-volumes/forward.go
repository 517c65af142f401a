package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
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
	if err != nil {
		return nil, fmt.Errorf("nft chains: %w", err)
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

// openLegacyForward does the same where the firewall was made by the older
// iptables, whose rules the kernel keeps apart and only that tool can change.
func openLegacyForward() error {
	tool, err := legacyTool()
	if tool == "" || err != nil {
		return err
	}
	// iptables-legacy -S FORWARD
	//  -P FORWARD DROP
	//  -A FORWARD -i eth1 -j ACCEPT
	text, err := exec.Command(tool, "-w", "-S", "FORWARD").Output()
	if err != nil {
		return fmt.Errorf("%s -S FORWARD: %w", tool, err)
	}
	if !strings.HasPrefix(string(text), "-P FORWARD DROP\n") {
		return nil
	}
	if legacyRules(tool, "-C") == nil {
		return nil // a container before this one has made them
	}
	return legacyRules(tool, "-I")
}

// closeLegacyForward removes our rules from the older kind of firewall.
func closeLegacyForward() error {
	tool, err := legacyTool()
	if tool == "" || err != nil {
		return nil // where it was missing nothing was made
	}
	_ = legacyRules(tool, "-D") // complains when there is none
	return nil
}

// legacyRules inserts (-I), deletes (-D) or looks for (-C) our two rules.
func legacyRules(tool, change string) (err error) {
	for _, way := range []string{"-i", "-o"} {
		args := []string{"-w", change, "FORWARD", way, bridgeName,
			"-m", "comment", "--comment", bridgeName, "-j", "ACCEPT"}
		text, e := exec.Command(tool, args...).CombinedOutput()
		if e != nil {
			err = fmt.Errorf("%s %s: %s", tool, strings.Join(args, " "),
				bytes.TrimSpace(text))
		}
	}
	return err
}

// legacyTool finds the program for the older kind of firewall, if the host
// has one of that kind.
func legacyTool() (string, error) {
	// The tables of /proc/net/ip_tables_names are such as filter and nat.
	names, err := os.ReadFile("/proc/net/ip_tables_names")
	if err != nil || !slices.Contains(strings.Fields(string(names)), "filter") {
		return "", nil
	}
	if tool, err := exec.LookPath("iptables-legacy"); err == nil {
		return tool, nil
	}
	return exec.LookPath("iptables")
}
