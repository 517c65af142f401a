//go:build linux

package box

import (
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// ip shows and changes links, addresses and routes of the network namespace. Objects
// and verbs may be shortened: `ip a`, `ip l`, `ip r`.
func ip(c *call) error {
	for len(c.args) > 0 && (c.args[0] == "-4" || c.args[0] == "-o") {
		c.args = c.args[1:]
	}
	if len(c.args) == 0 {
		return misused("missing operand")
	}
	object, args := c.args[0], c.args[1:]
	if strings.HasPrefix(object, "-") {
		return misused("unknown option %s", object)
	}
	verb := "show"
	if len(args) > 0 {
		verb, args = args[0], args[1:]
	}
	verb = abbreviated(verb, "show", "list", "set", "add", "del", "delete")
	switch abbreviated(object, "address", "addr", "link", "route") {
	case "address", "addr":
		return c.ipAddr(verb, args)
	case "link":
		return c.ipLink(verb, args)
	case "route":
		return c.ipRoute(verb, args)
	}
	return misused("unknown object %q", object)
}

// abbreviated returns the first word that text begins, or text.
func abbreviated(text string, words ...string) string {
	for _, w := range words {
		if text != "" && strings.HasPrefix(w, text) {
			return w
		}
	}
	return text
}

// ipAddr is `ip addr [show [[dev] DEV]]` and `ip addr add|del CIDR dev DEV`.
func (c *call) ipAddr(verb string, args []string) error {
	if verb == "show" || verb == "list" {
		return c.showLinks(args, true)
	}
	if verb != "add" && verb != "del" && verb != "delete" {
		return misused("unknown verb %q of ip addr", verb)
	}
	if len(args) != 3 || args[1] != "dev" {
		return misused("want ip addr %s ADDRESS/BITS dev DEV", verb)
	}
	addr, err := netlink.ParseAddr(args[0])
	if err != nil {
		return misused("%q is not ADDRESS/BITS", args[0])
	}
	link, err := netlink.LinkByName(args[2])
	if err != nil {
		return fmt.Errorf("link %s: %w", args[2], err)
	}
	if verb == "add" {
		err = netlink.AddrAdd(link, addr)
	} else {
		err = netlink.AddrDel(link, addr)
	}
	if err != nil {
		return fmt.Errorf("addr %s %s dev %s: %w", verb, args[0], args[2], err)
	}
	return nil
}

// ipLink is `ip link [show [[dev] DEV]]` and `ip link set [dev] DEV up|down|…`.
func (c *call) ipLink(verb string, args []string) error {
	if verb == "show" || verb == "list" {
		return c.showLinks(args, false)
	}
	if verb != "set" {
		return misused("unknown verb %q of ip link", verb)
	}
	if len(args) > 0 && args[0] == "dev" {
		args = args[1:]
	}
	if len(args) < 2 {
		return misused("want ip link set DEV up|down|name NAME")
	}
	link, err := netlink.LinkByName(args[0])
	if err != nil {
		return fmt.Errorf("link %s: %w", args[0], err)
	}
	switch {
	case args[1] == "up" && len(args) == 2:
		err = netlink.LinkSetUp(link)
	case args[1] == "down" && len(args) == 2:
		err = netlink.LinkSetDown(link)
	case args[1] == "name" && len(args) == 3:
		err = netlink.LinkSetName(link, args[2])
	default:
		return misused("want ip link set DEV up|down|name NAME")
	}
	if err != nil {
		return fmt.Errorf("link set %s: %w", strings.Join(args, " "), err)
	}
	return nil
}

// showLinks prints links, and with addrs their addresses:
//
//	2: eth0@if5: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 state UP
//	    link/ether 02:42:0a:00:00:02 brd ff:ff:ff:ff:ff:ff
//	    inet 10.0.0.2/24 brd 10.0.0.255 scope global eth0
func (c *call) showLinks(args []string, addrs bool) error {
	if len(args) > 0 && args[0] == "dev" {
		args = args[1:]
	}
	var links []netlink.Link
	var err error
	if len(args) > 0 {
		var link netlink.Link
		link, err = netlink.LinkByName(args[0])
		links = []netlink.Link{link}
	} else {
		links, err = netlink.LinkList()
	}
	if err != nil {
		return fmt.Errorf("list links: %w", err)
	}
	for _, link := range links {
		c.printLink(link)
		if !addrs {
			continue
		}
		list, err := netlink.AddrList(link, netlink.FAMILY_ALL)
		if err != nil {
			return fmt.Errorf("list addresses of %s: %w", link.Attrs().Name, err)
		}
		for _, a := range list {
			c.printAddr(a)
		}
	}
	return nil
}

// linkFlags are the flags of a link in the order ip(8) prints them.
var linkFlags = []struct {
	bit  uint32
	name string
}{
	{unix.IFF_LOOPBACK, "LOOPBACK"},
	{unix.IFF_BROADCAST, "BROADCAST"},
	{unix.IFF_POINTOPOINT, "POINTOPOINT"},
	{unix.IFF_MULTICAST, "MULTICAST"},
	{unix.IFF_NOARP, "NOARP"},
	{unix.IFF_PROMISC, "PROMISC"},
	{unix.IFF_UP, "UP"},
	{unix.IFF_LOWER_UP, "LOWER_UP"},
}

// printLink prints the two lines of a link.
func (c *call) printLink(link netlink.Link) {
	a := link.Attrs()
	name := a.Name
	if a.ParentIndex != 0 {
		// The other end of a veth pair; in another namespace only its number is known.
		name += "@"
		if peer, err := netlink.LinkByIndex(a.ParentIndex); err == nil && a.NetNsID < 0 {
			name += peer.Attrs().Name
		} else {
			name += fmt.Sprintf("if%d", a.ParentIndex)
		}
	}
	var flags []string
	for _, f := range linkFlags {
		if a.RawFlags&f.bit != 0 {
			flags = append(flags, f.name)
		}
	}
	if a.RawFlags&unix.IFF_UP != 0 && a.RawFlags&unix.IFF_LOWER_UP == 0 {
		flags = slices.Insert(flags, 0, "NO-CARRIER")
	}
	c.printf("%d: %s: <%s> mtu %d", a.Index, name, strings.Join(flags, ","), a.MTU)
	if a.MasterIndex != 0 {
		if master, err := netlink.LinkByIndex(a.MasterIndex); err == nil {
			c.printf(" master %s", master.Attrs().Name)
		}
	}
	c.printf(" state %s\n", strings.ToUpper(a.OperState.String()))
	switch {
	case a.RawFlags&unix.IFF_LOOPBACK != 0:
		c.printf("    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00\n")
	case len(a.HardwareAddr) > 0:
		c.printf("    link/%s %s brd ff:ff:ff:ff:ff:ff\n", a.EncapType, a.HardwareAddr)
	}
}

// printAddr prints the line of an address.
func (c *call) printAddr(a netlink.Addr) {
	family := "inet"
	if a.IP.To4() == nil {
		family = "inet6"
	}
	c.printf("    %s %s", family, a.IPNet)
	if a.Broadcast != nil && !a.Broadcast.IsUnspecified() {
		c.printf(" brd %s", a.Broadcast)
	}
	c.printf(" scope %s", scopeName(netlink.Scope(a.Scope)))
	if a.Label != "" {
		c.printf(" %s", a.Label)
	}
	c.printf("\n")
}

// scopeName returns the word ip(8) uses for a scope.
func scopeName(s netlink.Scope) string {
	if s == netlink.SCOPE_UNIVERSE {
		return "global"
	}
	return s.String()
}

// ipRoute is `ip route [show]` and `ip route add|del default|CIDR [via IP] [dev DEV]`.
func (c *call) ipRoute(verb string, args []string) error {
	switch verb {
	case "show", "list":
		return c.showRoutes()
	case "add", "del", "delete":
	default:
		return misused("unknown verb %q of ip route", verb)
	}
	route, err := parseRoute(args)
	if err != nil {
		return err
	}
	if verb == "add" && route.Gw == nil && route.LinkIndex == 0 {
		return misused("a route needs via IP or dev DEV")
	}
	if verb == "add" {
		err = netlink.RouteAdd(route)
	} else {
		err = netlink.RouteDel(route)
	}
	if err != nil {
		return fmt.Errorf("route %s %s: %w", verb, strings.Join(args, " "), err)
	}
	return nil
}

// wantRoute is the form of a route on the command line.
const wantRoute = "want default|ADDRESS/BITS [via IP] [dev DEV]"

// parseRoute parses `default|CIDR [via IP] [dev DEV]`.
func parseRoute(args []string) (*netlink.Route, error) {
	if len(args)%2 == 0 {
		return nil, misused(wantRoute)
	}
	route := &netlink.Route{}
	if args[0] != "default" {
		_, dst, err := net.ParseCIDR(args[0])
		if err != nil {
			return nil, misused("%q is not ADDRESS/BITS", args[0])
		}
		route.Dst = dst
	}
	for pair := range slices.Chunk(args[1:], 2) {
		if err := addHop(route, pair[0], pair[1]); err != nil {
			return nil, err
		}
	}
	if route.Gw == nil && route.LinkIndex != 0 {
		route.Scope = netlink.SCOPE_LINK
	}
	return route, nil
}

// addHop adds `via IP` or `dev DEV` to a route.
func addHop(route *netlink.Route, word, value string) error {
	switch word {
	case "via":
		if route.Gw = net.ParseIP(value); route.Gw == nil {
			return misused("%q is not an address", value)
		}
	case "dev":
		link, err := netlink.LinkByName(value)
		if err != nil {
			return fmt.Errorf("link %s: %w", value, err)
		}
		route.LinkIndex = link.Attrs().Index
	default:
		return misused(wantRoute)
	}
	return nil
}

// showRoutes prints the IPv4 routes of the main table:
//
//	default via 10.0.0.1 dev eth0
//	10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.2
func (c *call) showRoutes() error {
	routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		return fmt.Errorf("list routes: %w", err)
	}
	for _, r := range routes {
		c.printRoute(r)
	}
	return nil
}

// printRoute prints the line of a route.
func (c *call) printRoute(r netlink.Route) {
	dst := "default"
	if r.Dst != nil {
		if ones, _ := r.Dst.Mask.Size(); ones > 0 {
			dst = r.Dst.String()
		}
	}
	c.printf("%s", dst)
	if r.Gw != nil {
		c.printf(" via %s", r.Gw)
	}
	if link, err := netlink.LinkByIndex(r.LinkIndex); err == nil {
		c.printf(" dev %s", link.Attrs().Name)
	}
	if r.Protocol == unix.RTPROT_KERNEL {
		c.printf(" proto kernel")
	}
	if r.Scope != netlink.SCOPE_UNIVERSE {
		c.printf(" scope %s", r.Scope)
	}
	if r.Src != nil {
		c.printf(" src %s", r.Src)
	}
	c.printf("\n")
}
