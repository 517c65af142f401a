//go:build linux

package rootless

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Door is a port of the real host that leads to one in the network namespace: what rules
// do for root, copying does for others. Whoever comes is known there by the bridge's
// address.
type Door struct {
	n      *Network
	stream net.Listener
	packet net.PacketConn

	mu    sync.Mutex
	to    netip.AddrPort
	peers map[string]net.Conn // of a UDP port, by who they are
}

// silence is how long both sides of a UDP port can be silent until they are forgotten.
const silence = 90 * time.Second

// Open opens a port of the host, udp or tcp. Port 0 is any that is free.
func (n *Network) Open(proto, address string) (d *Door, err error) {
	d = &Door{n: n, peers: map[string]net.Conn{}}
	if proto == "udp" {
		d.packet, err = net.ListenPacket("udp4", address)
	} else {
		d.stream, err = net.Listen("tcp4", address)
	}
	return d, err
}

// Port is the port's number.
func (d *Door) Port() uint16 {
	var at net.Addr
	if d.packet != nil {
		at = d.packet.LocalAddr()
	} else {
		at = d.stream.Addr()
	}
	port, err := netip.ParseAddrPort(at.String())
	if err != nil {
		return 0
	}
	return port.Port()
}

// Lead lets those in who wait, and who come.
func (d *Door) Lead(to netip.AddrPort) {
	d.to = to
	if d.packet != nil {
		go d.packets()
	} else {
		go d.streams()
	}
}

// Close shuts the port. Connections that stand go on until the container's end.
func (d *Door) Close() error {
	if d.packet == nil {
		return d.stream.Close()
	}
	err := d.packet.Close()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, peer := range d.peers {
		_ = peer.Close() // it was all that there is of it
	}
	return err
}

// dial connects to the container.
func (d *Door) dial(network string) (conn net.Conn, err error) {
	err = d.n.Do(func() (err error) {
		conn, err = net.Dial(network, d.to.String())
		return err
	})
	return conn, err
}

// streams passes on connections until the port is shut.
func (d *Door) streams() {
	for {
		from, err := d.stream.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(time.Millisecond) // there are too many files, which passes
			continue
		}
		go func() {
			defer from.Close()
			to, err := d.dial("tcp4")
			if err != nil {
				return // nobody listens there: the connection ends, as by a rule
			}
			defer to.Close()
			var both sync.WaitGroup
			both.Go(func() { pass(to, from) })
			both.Go(func() { pass(from, to) })
			both.Wait()
		}()
	}
}

// pass copies one direction, and passes its end on.
func pass(to, from net.Conn) {
	_, _ = io.Copy(to, from) // an end is an end
	if half, ok := to.(*net.TCPConn); ok {
		_ = half.CloseWrite() // it may be closed
	}
}

// packets passes on packets until the port is shut. Each who sends has a socket of their
// own there, by which answers find back.
func (d *Door) packets() {
	buffer := make([]byte, 64<<10)
	for {
		size, from, err := d.packet.ReadFrom(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		if peer := d.peer(from); peer != nil {
			_, _ = peer.Write(buffer[:size]) // it can be lost, as all of UDP
		}
	}
}

// peer is the socket of somebody who sends.
func (d *Door) peer(from net.Addr) net.Conn {
	d.mu.Lock()
	defer d.mu.Unlock()
	peer := d.peers[from.String()]
	if peer == nil {
		var err error
		if peer, err = d.dial("udp4"); err != nil {
			return nil
		}
		d.peers[from.String()] = peer
		go d.answers(from, peer)
	}
	_ = peer.SetReadDeadline(time.Now().Add(silence)) // a socket has one
	return peer
}

// answers passes the container's packets back.
func (d *Door) answers(to net.Addr, peer net.Conn) {
	buffer := make([]byte, 64<<10)
	for {
		size, err := peer.Read(buffer)
		if err != nil {
			break // it was silent, nobody listens there, or the port is shut
		}
		_, _ = d.packet.WriteTo(buffer[:size], to) // see packets
		_ = peer.SetReadDeadline(time.Now().Add(silence))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.peers[to.String()] == peer {
		delete(d.peers, to.String())
	}
	_ = peer.Close() // nobody sends by it any longer
}
