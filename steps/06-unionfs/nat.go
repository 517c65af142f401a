package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// settings are the host's that forwarding changes, the first by us and the
// second by the kernel, which turns it off and on the other way round.
const settings = "ip_forward conf/all/accept_redirects"

// openWayOut makes the host a router for its containers that lends them its
// own address. It runs on the host, once more for each container: what is
// there already is replaced.
func openWayOut(subnet netip.Prefix) error {
	// sysctl net.ipv4.ip_forward=1
	if err := writeSettings("ip_forward=1"); err != nil {
		return err
	}
	rules, err := nftables.New()
	if err != nil {
		return fmt.Errorf("nftables: %w", err)
	}
	// nft add table ip lab
	// nft flush table ip lab
	table := rules.AddTable(ourTable())
	rules.FlushTable(table)
	masquerade(rules, table, subnet)
	if err := openForward(rules); err != nil {
		return err
	}
	// All of it or nothing: the kernel takes a batch as one change.
	if err := rules.Flush(); err != nil {
		return fmt.Errorf("nft table ip lab: %w", err)
	}
	return openLegacyForward()
}

// closeWayOut removes from the host what openWayOut added to its rules.
func closeWayOut() error {
	err := closeLegacyForward()
	rules, newErr := nftables.New()
	if newErr != nil {
		return err // this kernel has none, so we made none
	}
	if e := closeForward(rules); e != nil {
		return errors.Join(err, e)
	}
	// Only what is there can be deleted, but adding twice does no harm.
	// nft add table ip lab
	// nft delete table ip lab
	rules.DelTable(rules.AddTable(ourTable()))
	if e := rules.Flush(); e != nil {
		err = errors.Join(err, fmt.Errorf("delete nft table ip lab: %w", e))
	}
	return err
}

// ourTable is the one in which all rules are ours.
func ourTable() *nftables.Table {
	return &nftables.Table{Family: nftables.TableFamilyIPv4, Name: "lab"}
}

// masquerade makes packets leave the host as if they were its own: the world
// knows the way back to the host, but none to the containers.
func masquerade(
	rules *nftables.Conn, table *nftables.Table, subnet netip.Prefix,
) {
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
	//   oifname != lab0 masquerade
	rules.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: []expr.Any{
		// The source address is 4 bytes at offset 12 of the IPv4 header.
		&expr.Payload{
			DestRegister: 1, Base: expr.PayloadBaseNetworkHeader,
			Offset: 12, Len: 4,
		},
		&expr.Bitwise{
			SourceRegister: 1, DestRegister: 1, Len: 4,
			Mask: mask(subnet), Xor: make([]byte, 4),
		},
		compare(expr.CmpOpEq, subnet.Masked().Addr().AsSlice()),
		&expr.Meta{Key: expr.MetaKeyOIFNAME, Register: 1},
		compare(expr.CmpOpNeq, interfaceName()),
		&expr.Masq{},
	}})
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

// readSettings returns the host's settings as they are now.
//
//	ip_forward=0 conf/all/accept_redirects=1
func readSettings() string {
	var words []string
	for _, name := range strings.Fields(settings) {
		value, err := os.ReadFile("/proc/sys/net/ipv4/" + name)
		if err == nil { // what cannot be read will not be written
			words = append(words, name+"="+strings.TrimSpace(string(value)))
		}
	}
	return strings.Join(words, " ")
}

// writeSettings makes the host's settings those in the text, which is one of
// readSettings. Those that are so already are not written.
func writeSettings(text string) error {
	for _, word := range strings.Fields(text) {
		if strings.Contains(" "+readSettings()+" ", " "+word+" ") {
			continue
		}
		name, value, _ := strings.Cut(word, "=")
		// sysctl net.ipv4.ip_forward=0
		err := os.WriteFile("/proc/sys/net/ipv4/"+name, []byte(value), 0)
		if err != nil {
			return fmt.Errorf("%s=%s: %w", name, value, cause(err))
		}
	}
	return nil
}
