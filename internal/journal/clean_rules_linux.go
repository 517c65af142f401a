package journal

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
	"golang.org/x/sys/unix"
)

// cleanRules removes the rules whose bridge somebody has removed by hand, if a
// run that has ended may have made them.
func (c *cleaning) cleanRules() error {
	made := slices.ContainsFunc(c.ended, func(s *stored) bool {
		return s.Bridge == bridgeName && s.Boot == c.boot
	})
	if !made {
		return nil
	}
	return c.removeRules()
}

// removeRules removes the lab's rules from the host's: its table, and the
// rules in tables of others that carry its comment.
func (c *cleaning) removeRules() error {
	c.removeLegacyRules()
	conn := &nftables.Conn{}
	chains, err := conn.ListChains()
	if noNetfilter(err) || errors.Is(err, unix.EPERM) {
		return nil // so no step made one
	}
	if err != nil {
		return fmt.Errorf("list nftables chains: %w", err)
	}
	for _, chain := range chains {
		rules, err := conn.GetRules(chain.Table, chain)
		if err != nil {
			return fmt.Errorf("list rules of %s %s: %w", chain.Table.Name, chain.Name, err)
		}
		if isOurTable(chain, chains, rules) {
			c.do(Rules, "nftables table ip lab", func() error {
				conn.DelTable(chain.Table)
				return conn.Flush()
			})
			continue
		}
		for _, rule := range rules {
			if !isOurRule(rule) {
				continue
			}
			what := fmt.Sprintf("nftables rule %s %s handle %d",
				chain.Table.Name, chain.Name, rule.Handle)
			c.do(Rules, what, func() error {
				return errors.Join(conn.DelRule(rule), conn.Flush())
			})
		}
	}
	return nil
}

// isOurTable recognises the table of the steps: it has one chain with one
// rule, which masquerades the subnet that its comment names.
//
//	table ip lab { chain postrouting { type nat hook postrouting priority srcnat;
//	  ip saddr 10.44.0.0/24 oifname != "lab0" masquerade comment "10.44.0.0/24" } }
func isOurTable(chain *nftables.Chain, all []*nftables.Chain, rules []*nftables.Rule) bool {
	table := chain.Table
	if table.Name != "lab" || table.Family != nftables.TableFamilyIPv4 ||
		chain.Name != "postrouting" || len(rules) != 1 {
		return false
	}
	inTable := 0
	for _, other := range all {
		if other.Table.Name == table.Name && other.Table.Family == table.Family {
			inTable++
		}
	}
	text, commented := userdata.GetString(rules[0].UserData, userdata.TypeComment)
	_, err := netip.ParsePrefix(text)
	masquerades := slices.ContainsFunc(rules[0].Exprs, func(e expr.Any) bool {
		_, ok := e.(*expr.Masq)
		return ok
	})
	return inTable == 1 && commented && err == nil && masquerades && namesBridge(rules[0])
}

// isOurRule recognises a rule that lets the containers' packets through.
//
//	iifname "lab0" counter accept comment "lab0"
func isOurRule(rule *nftables.Rule) bool {
	text, commented := userdata.GetString(rule.UserData, userdata.TypeComment)
	if !commented || text != bridgeName || len(rule.Exprs) != 4 || !namesBridge(rule) {
		return false
	}
	verdict, ok := rule.Exprs[3].(*expr.Verdict)
	return ok && verdict.Kind == expr.VerdictAccept
}

// namesBridge reports whether a rule compares a link's name with the bridge's,
// which the kernel keeps padded with zeros.
func namesBridge(rule *nftables.Rule) bool {
	return slices.ContainsFunc(rule.Exprs, func(e expr.Any) bool {
		compare, ok := e.(*expr.Cmp)
		return ok && string(bytes.TrimRight(compare.Data, "\x00")) == bridgeName
	})
}

// removeLegacyRules removes the rules from a firewall that was made by the
// older iptables: the kernel keeps them apart, and it takes that tool.
func (c *cleaning) removeLegacyRules() {
	names, err := os.ReadFile("/proc/net/ip_tables_names")
	if err != nil || !slices.Contains(strings.Fields(string(names)), "filter") {
		return
	}
	for _, direction := range []string{"-i", "-o"} {
		rule := []string{
			"FORWARD", direction, bridgeName, "-m", "comment", "--comment", bridgeName,
			"-j", "ACCEPT",
		}
		if legacyTool("-C", rule) != nil {
			continue // there is none
		}
		what := "iptables-legacy rule " + strings.Join(rule, " ")
		c.do(Rules, what, func() error { return legacyTool("-D", rule) })
	}
}

// legacyTool runs the older iptables, which is just iptables on an older host.
func legacyTool(do string, rule []string) error {
	tool, err := exec.LookPath("iptables-legacy")
	if err != nil {
		tool, err = exec.LookPath("iptables")
	}
	if err != nil {
		return err
	}
	// -w waits for others who change the rules at this moment.
	out, err := exec.Command(tool, append([]string{"-w", do}, rule...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", tool, do, err, bytes.TrimSpace(out))
	}
	return nil
}
