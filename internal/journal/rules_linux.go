package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// nftObjects are the parts of a rule set that are listed, each by one dump.
// Of a message only the attributes that name the object are read; for a rule
// that is its handle, which the kernel never gives twice in a table.
var nftObjects = []struct {
	name   string
	get    int
	names  []uint16 // attributes with text: table, chain, name
	handle uint16   // the attribute with the handle, if it is part of the name
}{
	{"table", unix.NFT_MSG_GETTABLE, []uint16{unix.NFTA_TABLE_NAME}, 0},
	{"chain", unix.NFT_MSG_GETCHAIN, []uint16{unix.NFTA_CHAIN_TABLE, unix.NFTA_CHAIN_NAME}, 0},
	{"set", unix.NFT_MSG_GETSET, []uint16{unix.NFTA_SET_TABLE, unix.NFTA_SET_NAME}, 0},
	{
		"rule", unix.NFT_MSG_GETRULE,
		[]uint16{unix.NFTA_RULE_TABLE, unix.NFTA_RULE_CHAIN},
		unix.NFTA_RULE_HANDLE,
	},
}

// nftRules lists the netfilter tables, chains, sets and rules of this network
// namespace, those of iptables-nft included: `nft --handle list ruleset`. A
// kernel without nf_tables has none.
func nftRules() ([]Entry, error) {
	var found []Entry
	for _, object := range nftObjects {
		messages, err := complete(func() ([][]byte, error) { return nftDump(object.get) })
		if noNetfilter(err) {
			return nil, nil
		}
		if err != nil {
			return found, fmt.Errorf("list nftables %ss: %w", object.name, err)
		}
		for _, message := range messages {
			what, err := nftName(message, object.names, object.handle)
			if err != nil {
				return found, fmt.Errorf("read an nftables %s: %w", object.name, err)
			}
			what = "nftables " + object.name + " " + what
			found = append(found, Entry{Kind: Rules, ID: what, What: what})
		}
	}
	return found, nil
}

func noNetfilter(err error) bool {
	return errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.EOPNOTSUPP) ||
		errors.Is(err, unix.EINVAL)
}

// nftDump asks nf_tables for all objects of a type, of every family.
func nftDump(get int) ([][]byte, error) {
	request := nl.NewNetlinkRequest(unix.NFNL_SUBSYS_NFTABLES<<8|get, unix.NLM_F_DUMP)
	request.AddData(&nl.Nfgenmsg{NfgenFamily: unix.AF_UNSPEC})
	return request.Execute(unix.NETLINK_NETFILTER, 0)
}

// nftName reads an object's name from a message, such as `ip nat POSTROUTING
// handle 5`: four bytes of nfgenmsg, of which the first is the family, then
// attributes, whose numbers are in the network's byte order.
func nftName(message []byte, names []uint16, handle uint16) (string, error) {
	if len(message) < nl.SizeofNfgenmsg {
		return "", fmt.Errorf("%d bytes are too few", len(message))
	}
	attributes, err := nl.ParseRouteAttr(message[nl.SizeofNfgenmsg:])
	if err != nil {
		return "", fmt.Errorf("parse attributes: %w", err)
	}
	words := []string{nftFamily(message[0])}
	for _, want := range names {
		words = append(words, string(bytes.TrimRight(attribute(attributes, want), "\x00")))
	}
	if value := attribute(attributes, handle); handle != 0 && len(value) == 8 {
		words = append(words, fmt.Sprintf("handle %d", binary.BigEndian.Uint64(value)))
	}
	return strings.Join(words, " "), nil
}

// attribute returns the value of the attribute of a type.
func attribute(attributes []syscall.NetlinkRouteAttr, want uint16) []byte {
	for _, a := range attributes {
		if a.Attr.Type&nl.NLA_TYPE_MASK == want {
			return a.Value
		}
	}
	return nil
}

// nftFamily is the word that nft(8) has for a family.
func nftFamily(family byte) string {
	words := map[byte]string{
		unix.NFPROTO_INET: "inet", unix.NFPROTO_IPV4: "ip", unix.NFPROTO_IPV6: "ip6",
		unix.NFPROTO_ARP: "arp", unix.NFPROTO_BRIDGE: "bridge", unix.NFPROTO_NETDEV: "netdev",
	}
	if word, known := words[family]; known {
		return word
	}
	return fmt.Sprintf("family %d", family)
}
