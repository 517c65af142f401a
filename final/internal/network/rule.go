package network

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// ruleset is what our table is to say for one store.
type ruleset struct {
	guard       []rule // what comes in, before anything else looks at it
	prerouting  []rule // what comes in, and may be for a published port
	output      []rule // the same for what the host itself sends
	forward     []rule // what goes through
	postrouting []rule // what goes out
}

// rule is one of nftables', as nft(8) writes it and as the kernel takes it.
type rule struct {
	text  string
	exprs []expr.Any
}

// link is a network that is in use, with its bridge.
type link struct {
	Network
	bridge string
}

// compile makes the rules for networks and the containers on them.
func compile(links []link, leases []Lease) ruleset {
	var r ruleset
	for _, l := range links {
		r.addBridge(l)
	}
	for _, l := range leases {
		if len(l.Endpoints) == 0 {
			continue
		}
		for _, p := range l.Ports {
			published := publish(p, l.Endpoints[0].Address.Addr())
			r.prerouting = append(r.prerouting, published)
			r.output = append(r.output, published)
		}
	}
	return r
}

// addBridge adds the rules of one bridge.
func (r *ruleset) addBridge(l link) {
	loopback := netip.MustParsePrefix("127.0.0.0/8")
	br := l.bridge
	// The bridge lets addresses of the loopback through for the sake of published
	// ports: a container must not reach the host's own by it.
	r.guard = append(r.guard,
		join(from(br), to(loopback), verdict(expr.VerdictDrop)))
	if l.Internal {
		r.forward = append(r.forward,
			join(from(br), notInto(br), verdict(expr.VerdictDrop)),
			join(notFrom(br), into(br), verdict(expr.VerdictDrop)))
	} else {
		// Networks do not reach each other but through published ports.
		r.forward = append(r.forward, join(from(br), notInto(br), into("mini*"),
			translated(false), verdict(expr.VerdictDrop)))
		// The world knows the way back to the host, but none to the containers.
		r.postrouting = append(r.postrouting,
			join(of(l.Subnet), notInto(br), masquerade()))
	}
	// A container knows no way back to 127.0.0.1, and would answer its neighbour
	// directly, which asked the host.
	r.postrouting = append(r.postrouting,
		join(of(loopback), into(br), masquerade()),
		join(of(l.Subnet), into(br), translated(true), masquerade()))
}

// publish leads what is for a port of the host to a container.
func publish(p Port, container netip.Addr) rule {
	where := local()
	if p.HostIP.IsValid() {
		where = to(netip.PrefixFrom(p.HostIP, 32))
	}
	return join(where, port(p.Proto, p.Host), translate(netip.AddrPortFrom(container, p.Container)))
}

// join makes one rule of several parts.
func join(parts ...rule) rule {
	var whole rule
	var texts []string
	for _, p := range parts {
		texts = append(texts, p.text)
		whole.exprs = append(whole.exprs, p.exprs...)
	}
	whole.text = strings.Join(texts, " ")
	return whole
}

// from, notFrom, into and notInto go on for packets of one link. A name that ends in a
// star stands for all that begin so.
func from(name string) rule    { return onLink("iifname", expr.CmpOpEq, name) }
func notFrom(name string) rule { return onLink("iifname", expr.CmpOpNeq, name) }
func into(name string) rule    { return onLink("oifname", expr.CmpOpEq, name) }
func notInto(name string) rule { return onLink("oifname", expr.CmpOpNeq, name) }

// onLink compares the name of the link that a packet came by or leaves by.
func onLink(word string, op expr.CmpOp, name string) rule {
	key := expr.MetaKeyIIFNAME
	if word == "oifname" {
		key = expr.MetaKeyOIFNAME
	}
	not := ""
	if op == expr.CmpOpNeq {
		not = "!= "
	}
	data := make([]byte, unix.IFNAMSIZ) // padded with zeros, as the kernel keeps it
	copy(data, name)
	if prefix, ok := strings.CutSuffix(name, "*"); ok {
		data = []byte(prefix)
	}
	return rule{fmt.Sprintf("%s %s%q", word, not, name), []expr.Any{
		&expr.Meta{Key: key, Register: 1},
		&expr.Cmp{Op: op, Register: 1, Data: data},
	}}
}

// of and to go on for packets from and to these addresses.
func of(p netip.Prefix) rule { return address("saddr", 12, p) }
func to(p netip.Prefix) rule { return address("daddr", 16, p) }

// address compares one of the addresses in an IPv4 header, 4 bytes at an offset.
func address(word string, offset uint32, p netip.Prefix) rule {
	return rule{fmt.Sprintf("ip %s %s", word, p), []expr.Any{
		&expr.Payload{
			DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: 4,
		},
		&expr.Bitwise{
			SourceRegister: 1, DestRegister: 1, Len: 4, Mask: mask(p), Xor: make([]byte, 4),
		},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: p.Masked().Addr().AsSlice()},
	}}
}

// local goes on for packets to an address of the host.
func local() rule {
	native := binary.NativeEndian.AppendUint32(nil, unix.RTN_LOCAL)
	return rule{"fib daddr type local", []expr.Any{
		&expr.Fib{Register: 1, FlagDADDR: true, ResultADDRTYPE: true},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: native},
	}}
}

// port goes on for packets to a port: both protocols have it at the same place.
func port(proto string, number uint16) rule {
	protocol := byte(unix.IPPROTO_TCP)
	if proto == "udp" {
		protocol = unix.IPPROTO_UDP
	}
	return rule{fmt.Sprintf("%s dport %d", proto, number), []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{protocol}},
		&expr.Payload{
			DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2,
		},
		&expr.Cmp{
			Op: expr.CmpOpEq, Register: 1, Data: binary.BigEndian.AppendUint16(nil, number),
		},
	}}
}

// translated goes on for packets whose destination was another one, or for all others.
func translated(yes bool) rule {
	const dnat = 1 << 5 // IPS_DST_NAT of the kernel's nf_conntrack_common.h
	text, op := "ct status dnat", expr.CmpOpNeq
	if !yes {
		text, op = "ct status & dnat == 0", expr.CmpOpEq
	}
	return rule{text, []expr.Any{
		&expr.Ct{Key: expr.CtKeySTATUS, Register: 1},
		&expr.Bitwise{
			SourceRegister: 1, DestRegister: 1, Len: 4,
			Mask: binary.NativeEndian.AppendUint32(nil, dnat), Xor: make([]byte, 4),
		},
		&expr.Cmp{Op: op, Register: 1, Data: make([]byte, 4)},
	}}
}

// translate sends a packet elsewhere.
func translate(there netip.AddrPort) rule {
	return rule{"dnat to " + there.String(), []expr.Any{
		&expr.Immediate{Register: 1, Data: there.Addr().AsSlice()},
		&expr.Immediate{Register: 2, Data: binary.BigEndian.AppendUint16(nil, there.Port())},
		&expr.NAT{
			Type: expr.NATTypeDestNAT, Family: unix.NFPROTO_IPV4,
			RegAddrMin: 1, RegProtoMin: 2, Specified: true,
		},
	}}
}

// masquerade gives a packet the host's address in the place of its sender's.
func masquerade() rule { return rule{"masquerade", []expr.Any{&expr.Masq{}}} }

// verdict ends a packet's way through a chain.
func verdict(kind expr.VerdictKind) rule {
	words := map[expr.VerdictKind]string{
		expr.VerdictDrop: "drop", expr.VerdictAccept: "accept",
	}
	return rule{words[kind], []expr.Any{&expr.Verdict{Kind: kind}}}
}

// chains are the base chains of a ruleset, in the order a packet meets them.
func (r ruleset) chains() []baseChain {
	const nat, filter = nftables.ChainTypeNAT, nftables.ChainTypeFilter
	in, out := nftables.ChainHookPrerouting, nftables.ChainHookPostrouting
	through, own := nftables.ChainHookForward, nftables.ChainHookOutput
	dstnat, srcnat := nftables.ChainPriorityNATDest, nftables.ChainPriorityNATSource
	return []baseChain{
		{"guard", filter, in, nftables.ChainPriorityRaw, r.guard},
		{"prerouting", nat, in, dstnat, r.prerouting},
		{"output", nat, own, dstnat, r.output},
		{"forward", filter, through, nftables.ChainPriorityFilter, r.forward},
		{"postrouting", nat, out, srcnat, r.postrouting},
	}
}

// baseChain is where the kernel hands packets to rules.
type baseChain struct {
	name     string
	kind     nftables.ChainType
	hook     *nftables.ChainHook
	priority *nftables.ChainPriority
	rules    []rule
}

// String is the ruleset as nft(8) would be given it; it is what two are compared by.
func (r ruleset) String() string {
	var b strings.Builder
	for _, c := range r.chains() {
		for _, rule := range c.rules {
			fmt.Fprintf(&b, "%s: %s\n", c.name, rule.text)
		}
	}
	return b.String()
}
