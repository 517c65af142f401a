//go:build linux

package box

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// pinger is one run of ping.
type pinger struct {
	fd      int
	raw     bool // the socket shows the IP header and everybody's replies
	id      uint16
	to      unix.SockaddrInet4
	timeout time.Duration
	sent    int
	got     int
	stop    atomic.Bool
}

// ping sends ICMP echo requests and prints the replies; exit status 1 when none came.
func ping(c *call) error {
	o, err := c.parse("c:W:i:nq4")
	if err == nil {
		err = c.wants(1, 1)
	}
	if err != nil {
		return err
	}
	count, err := o.number("c", 0)
	if err != nil {
		return err
	}
	wait, werr := strconv.ParseFloat(o.get("W", "1"), 64)
	every, ierr := strconv.ParseFloat(o.get("i", "1"), 64)
	if werr != nil || ierr != nil || wait <= 0 || every < 0.01 {
		return misused("options -W and -i want seconds")
	}
	addr, err := net.ResolveIPAddr("ip4", c.args[0])
	if err != nil {
		return err
	}
	p := &pinger{
		timeout: time.Duration(wait * float64(time.Second)),
		id:      uint16(os.Getpid()),
	}
	copy(p.to.Addr[:], addr.IP.To4())
	if err := p.open(); err != nil {
		return err
	}
	defer func() { _ = unix.Close(p.fd) }() // Nothing is buffered in it.

	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, syscall.SIGINT, syscall.SIGTERM)
	go func() { <-interrupted; p.stop.Store(true) }()

	if err := c.say("PING %s (%s): 56 data bytes", c.args[0], addr.IP); err != nil {
		return err
	}
	if err := p.loop(c, count, time.Duration(every*float64(time.Second))); err != nil {
		c.warn(err)
	}
	lost := 0
	if p.sent > 0 {
		lost = 100 * (p.sent - p.got) / p.sent
	}
	c.printf("\n--- %s ping statistics ---\n", c.args[0])
	c.printf("%d packets transmitted, %d packets received, %d%% packet loss\n",
		p.sent, p.got, lost)
	if p.got == 0 {
		return status(1)
	}
	return nil
}

// open opens a raw socket, or where that is not permitted a ping socket, which
// /proc/sys/net/ipv4/ping_group_range opens to ordinary users (icmp(7)).
func (p *pinger) open() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMP)
	p.raw = err == nil
	if err != nil {
		var perr error
		fd, perr = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMP)
		if perr != nil {
			return fmt.Errorf("open a raw ICMP socket: %w; a ping socket: %w", err, perr)
		}
	}
	p.fd = fd
	return nil
}

// loop sends count requests, without end when count is 0.
func (p *pinger) loop(c *call, count int, every time.Duration) error {
	for !p.stop.Load() && (count == 0 || p.sent < count) {
		if p.sent > 0 {
			p.pause(every)
		}
		if err := p.once(c, uint16(p.sent)); err != nil {
			return err
		}
	}
	return nil
}

// pause waits, in short steps that let Ctrl-C through.
func (p *pinger) pause(every time.Duration) {
	for until := time.Now().Add(every); time.Now().Before(until) && !p.stop.Load(); {
		time.Sleep(min(10*time.Millisecond, time.Until(until)))
	}
}

// once sends one request and prints its reply, if there is one.
func (p *pinger) once(c *call, seq uint16) error {
	begin := time.Now()
	if err := unix.Sendto(p.fd, p.request(seq), 0, &p.to); err != nil {
		return fmt.Errorf("send to %s: %w", net.IP(p.to.Addr[:]), err)
	}
	p.sent++
	reply, err := p.reply(seq, begin.Add(p.timeout))
	if err != nil || reply == nil {
		return err
	}
	p.got++
	ms := float64(time.Since(begin).Microseconds()) / 1000
	return c.say("%d bytes from %s: seq=%d ttl=%s time=%.3f ms", reply.bytes, reply.from,
		seq, reply.ttl, ms)
}

// request returns an echo request (RFC 792): type 8, code 0, checksum, id, sequence
// number, 56 bytes of data.
func (p *pinger) request(seq uint16) []byte {
	packet := make([]byte, 8+56)
	packet[0] = 8
	binary.BigEndian.PutUint16(packet[4:], p.id)
	binary.BigEndian.PutUint16(packet[6:], seq)
	binary.BigEndian.PutUint16(packet[2:], checksum(packet))
	return packet
}

// checksum is the Internet checksum of RFC 1071.
func checksum(data []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(data); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(data[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// echo is a reply to one of our requests.
type echo struct {
	bytes int
	from  net.IP
	ttl   string
}

// reply waits for the reply to request seq; nil when the deadline passes.
func (p *pinger) reply(seq uint16, deadline time.Time) (*echo, error) {
	buf := make([]byte, 1500)
	for !p.stop.Load() && time.Now().Before(deadline) {
		// Short waits let Ctrl-C through.
		wait := min(time.Until(deadline).Milliseconds()+1, 100)
		ready := []unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}}
		if _, err := unix.Poll(ready, int(wait)); err != nil && !errors.Is(err, unix.EINTR) {
			return nil, fmt.Errorf("poll: %w", err)
		}
		n, from, err := unix.Recvfrom(p.fd, buf, unix.MSG_DONTWAIT)
		if errors.Is(err, unix.EINTR) || errors.Is(err, unix.EAGAIN) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("receive: %w", err)
		}
		if e := p.match(buf[:n], from, seq); e != nil {
			return e, nil
		}
	}
	return nil, nil
}

// match returns the echo when packet is the reply to our request seq. A raw socket
// puts the IP header first; its ninth byte is the time to live. On a ping socket the
// kernel chooses the id and hands over our own replies only.
func (p *pinger) match(packet []byte, from unix.Sockaddr, seq uint16) *echo {
	ttl := "-"
	if p.raw {
		if len(packet) < 20 {
			return nil
		}
		ttl = strconv.Itoa(int(packet[8]))
		header := int(packet[0]&15) * 4
		packet = packet[min(header, len(packet)):]
	}
	peer, ok := from.(*unix.SockaddrInet4)
	if !ok || len(packet) < 8 || packet[0] != 0 {
		return nil
	}
	id := binary.BigEndian.Uint16(packet[4:])
	if p.raw && id != p.id || binary.BigEndian.Uint16(packet[6:]) != seq {
		return nil
	}
	return &echo{bytes: len(packet), from: net.IP(peer.Addr[:]), ttl: ttl}
}
