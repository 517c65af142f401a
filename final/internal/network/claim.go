package network

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// claimPorts sees to it that nobody has a port that is to be published, and chooses a
// free one where any will do.
func claimPorts(wanted []Port, others []Lease) ([]Port, error) {
	var claimed []Port
	for _, p := range wanted {
		var err error
		if p.Host == 0 {
			p, err = freePort(p, others, claimed)
		} else {
			err = checkFree(p, others, claimed)
		}
		if err != nil {
			return nil, fmt.Errorf("port %s/%s: %w", p.HostAddress(), p.Proto, err)
		}
		claimed = append(claimed, p)
	}
	return claimed, nil
}

// checkFree refuses a port that a container has, or a program of the host.
func checkFree(p Port, others []Lease, claimed []Port) error {
	if by, ok := publishedBy(p, others, claimed); ok {
		return fmt.Errorf("%w by %s", ErrTaken, by)
	}
	_, err := tryBind(p)
	if errors.Is(err, unix.EADDRINUSE) {
		return fmt.Errorf("%w by a program of this host", ErrTaken)
	}
	if errors.Is(err, unix.EADDRNOTAVAIL) {
		return errors.New("this host has no such address")
	}
	return err
}

// publishedBy tells which container has a port already.
func publishedBy(p Port, others []Lease, claimed []Port) (string, bool) {
	if slices.ContainsFunc(claimed, p.collides) {
		return "this container", true
	}
	for _, l := range others {
		if slices.ContainsFunc(l.Ports, p.collides) {
			return l.Name, true
		}
	}
	return "", false
}

// collides reports whether a packet could be meant for both ports.
func (p Port) collides(q Port) bool {
	return p.Proto == q.Proto && p.Host == q.Host &&
		(p.HostIP == q.HostIP || !p.HostIP.IsValid() || !q.HostIP.IsValid())
}

// freePort has the kernel choose a port until it is one that no container has.
func freePort(p Port, others []Lease, claimed []Port) (Port, error) {
	for range 100 {
		host, err := tryBind(p)
		if err != nil {
			return p, err
		}
		found := p
		found.Host = host
		if _, taken := publishedBy(found, others, claimed); !taken {
			return found, nil
		}
	}
	return p, fmt.Errorf("no free one: %w", ErrTaken)
}

// tryBind takes a port of the host for a moment, and tells which: 0 means any.
func tryBind(p Port) (uint16, error) {
	var held io.Closer
	var at net.Addr
	if p.Proto == "udp" {
		c, err := net.ListenPacket("udp4", p.HostAddress())
		if err != nil {
			return 0, err
		}
		held, at = c, c.LocalAddr()
	} else {
		l, err := net.Listen("tcp4", p.HostAddress())
		if err != nil {
			return 0, err
		}
		held, at = l, l.Addr()
	}
	if err := held.Close(); err != nil {
		return 0, err
	}
	bound, err := netip.ParseAddrPort(at.String())
	return bound.Port(), err
}
