package network

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Port is a container's port that is published on the host.
type Port struct {
	Proto     string     `json:"proto"`           // tcp or udp
	HostIP    netip.Addr `json:"hostIP,omitzero"` // none: all addresses of the host
	Host      uint16     `json:"host,omitempty"`  // 0: one that is free
	Container uint16     `json:"container"`       //
}

// String is the port as `port` and `ps` show it: 0.0.0.0:8080->80/tcp.
func (p Port) String() string {
	return fmt.Sprintf("%s->%d/%s", p.HostAddress(), p.Container, p.Proto)
}

// HostAddress is where the port is found on the host: 0.0.0.0:8080.
func (p Port) HostAddress() string {
	ip := p.HostIP
	if !ip.IsValid() {
		ip = netip.IPv4Unspecified()
	}
	return netip.AddrPortFrom(ip, p.Host).String()
}

// ParsePorts reads what -p was given. A range stands for as many ports.
//
//	80                        any free port of the host to 80
//	8080:80/udp
//	127.0.0.1:8080:80
//	127.0.0.1::80
//	8000-8003:80-83
func ParsePorts(text string) ([]Port, error) {
	ports, err := parsePorts(text)
	if err != nil {
		return nil, fmt.Errorf("port %q: %w", text, err)
	}
	return ports, nil
}

// parsePorts takes the text apart from its end on, where the part is that must be.
func parsePorts(text string) ([]Port, error) {
	rest, proto, found := strings.Cut(text, "/")
	if !found {
		proto = "tcp"
	}
	if proto != "tcp" && proto != "udp" {
		return nil, fmt.Errorf("protocol %q is neither tcp nor udp", proto)
	}
	if strings.ContainsAny(rest, "[]") {
		return nil, errors.New("IPv6 is not supported")
	}
	parts := strings.Split(rest, ":")
	if len(parts) > 3 {
		return nil, errors.New("expected [[IP:]HOST:]CONTAINER[/tcp|udp]")
	}
	inside, err := parseRange(parts[len(parts)-1])
	if err != nil {
		return nil, err
	}
	outside := span{}
	if len(parts) > 1 && (len(parts) == 2 || parts[1] != "") {
		if outside, err = parseRange(parts[len(parts)-2]); err != nil {
			return nil, err
		}
	}
	var ip netip.Addr
	if len(parts) == 3 {
		if ip, err = parseHostIP(parts[0]); err != nil {
			return nil, err
		}
	}
	return pair(outside, inside, Port{Proto: proto, HostIP: ip})
}

// pair makes a port for each of a range inside, with its counterpart outside.
func pair(outside, inside span, like Port) ([]Port, error) {
	if outside.low != 0 && outside.size() != inside.size() {
		return nil, fmt.Errorf("%d ports of the host for %d of the container",
			outside.size(), inside.size())
	}
	var ports []Port
	for i := range inside.size() {
		p := like
		p.Container = inside.low + uint16(i)
		if outside.low != 0 {
			p.Host = outside.low + uint16(i)
		}
		ports = append(ports, p)
	}
	return ports, nil
}

// span is a range of ports, both ends included.
type span struct{ low, high uint16 }

// size counts the ports of a range.
func (s span) size() int { return int(s.high) - int(s.low) + 1 }

// parseRange reads one port or two with a line between.
func parseRange(text string) (span, error) {
	from, to, isRange := strings.Cut(text, "-")
	low, err := parsePort(from)
	if err != nil || !isRange {
		return span{low, low}, err
	}
	high, err := parsePort(to)
	if err == nil && high < low {
		err = fmt.Errorf("range %q ends before it begins", text)
	}
	return span{low, high}, err
}

// parsePort reads a port that can be published.
func parsePort(text string) (uint16, error) {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%q is not a port from 1 to 65535", text)
	}
	return uint16(n), nil
}

// parseHostIP reads one of the host's addresses. 0.0.0.0 means all, as none does.
func parseHostIP(text string) (netip.Addr, error) {
	ip, err := netip.ParseAddr(text)
	switch {
	case err != nil:
		return ip, fmt.Errorf("%q is not an address", text)
	case !ip.Is4():
		return ip, fmt.Errorf("%s: IPv6 is not supported", ip)
	case ip.IsUnspecified():
		return netip.Addr{}, nil
	}
	return ip, nil
}
