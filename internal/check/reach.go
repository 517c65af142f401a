//go:build linux

package check

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"time"

	"lab/internal/inspect"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// hostAndContainer pings in both directions.
func hostAndContainer(ctx context.Context, s *Subject) error {
	h, st, err := s.holdNet(ctx)
	if err != nil {
		return err
	}
	gateway, _ := netip.ParseAddr(st.gateway) // an invalid one is not reached
	judged := errors.Join(
		reaches(ctx, h, os.Getpid(), st.address().Addr()),
		reaches(ctx, h, h.PID, gateway))
	return errors.Join(judged, stopAll(ctx, h))
}

// amongContainers pings between three, and again when the first has left: it
// must not take with it what the others need.
func amongContainers(ctx context.Context, s *Subject) error {
	var all []*Held
	var addresses []netip.Addr
	var judged error
	for range 3 {
		h, st, err := s.holdNet(ctx)
		if err != nil {
			return errors.Join(err, stopAll(ctx, all...))
		}
		all, addresses = append(all, h), append(addresses, st.address().Addr())
	}
	for i, h := range all {
		if judged == nil {
			judged = reaches(ctx, h, h.PID, addresses[(i+1)%3])
		}
	}
	err := stopAll(ctx, all[0])
	if judged == nil && err == nil {
		judged = errors.Join(
			reaches(ctx, all[1], all[1].PID, addresses[2]),
			reaches(ctx, all[2], os.Getpid(), addresses[2]))
		if f, ok := errors.AsType[*Failure](judged); ok {
			f.Expected += ", after the first of three containers has left"
			f.Mistake, f.Diagnosis = "leaves-with-the-bridge", "The first container took away what "+
				"the others still need: only the last one may undo what they share."
		}
	}
	return errors.Join(judged, err, stopAll(ctx, all[1:]...))
}

// reaches sends ICMP echo requests from a process's network to an address.
func reaches(ctx context.Context, h *Held, from int, to netip.Addr) error {
	where, look := "the host", "ping "+to.String()
	send := func() error { return Echo(to) }
	if from != os.Getpid() {
		where = fmt.Sprintf("the network namespace of %d", from)
		look = fmt.Sprintf("nsenter -t %d -n ping %s", from, to)
		send = func() error {
			return inspect.In(from, []string{"net"}, func() error { return Echo(to) })
		}
	}
	var last error
	for range 3 {
		last = send()
		if last == nil || ctx.Err() != nil {
			return ctx.Err()
		}
	}
	f := &Failure{
		Command: h.Command, Expected: fmt.Sprintf("%s answers %s", to, where), Kernel: last.Error(),
		Mistake:   "no-way-through",
		Diagnosis: "The links are as they should be, and yet the packets do not get through.",
		Look:      look,
	}
	return errors.Join(f.brokenWay(h), f)
}

// brokenWay looks along the way from a container to the host for what is missing.
func (f *Failure) brokenWay(h *Held) error {
	st, err := readNet(h.PID)
	if err != nil {
		return err
	}
	ours, err := readNet(os.Getpid())
	if err != nil {
		return err
	}
	port, bridge, err := wayOf(h.PID)
	if err != nil {
		return err
	}
	f.Kernel += "; the container has " + st.String() + "; the host has " + ours.String()
	name, address := st.link()
	gateway, errGateway := netip.ParseAddr(st.gateway)
	onHost := func(a netip.Prefix) bool { return a.Addr() == gateway }
	switch {
	case name == "" || !address.IsValid() || !st.up[name]:
		if wrong := st.wrong(address); wrong != nil {
			f.Mistake, f.Diagnosis = wrong.Mistake, wrong.Diagnosis
		}
	case port != "" && !ours.up[port]:
		f.Mistake, f.Diagnosis = "port-down", "The host's end of the veth pair, "+port+", is down: "+
			"both ends have to be brought up."
		f.Look = "ip link show " + port
	case port != "" && bridge == "":
		f.Mistake, f.Diagnosis = "port-not-on-bridge", "The host's end of the veth pair, "+port+
			", is no port of a bridge: nobody hears what it sends."
		f.Look = "bridge link"
	case bridge != "" && !ours.up[bridge]:
		f.Mistake, f.Diagnosis = "bridge-down", "The bridge "+bridge+" is down: "+
			"a new one is, until it is brought up."
		f.Look = "ip link show " + bridge
	case errGateway == nil && !slices.ContainsFunc(slices.Collect(maps.Values(ours.addresses)), onHost):
		f.Mistake, f.Diagnosis = "bridge-without-address", "The container's gateway, "+st.gateway+
			", is nobody: no link of the host has that address, the bridge should."
		f.Look = "ip addr"
	}
	return nil
}

// wayOf returns the host's end of a container's veth pair and the bridge that it is
// a port of, by their names.
func wayOf(pid int) (port, bridge string, err error) {
	var index int
	err = inspect.In(pid, []string{"net"}, func() error {
		links, err := netlink.LinkList()
		for _, l := range links {
			if l.Type() == "veth" {
				index = l.Attrs().ParentIndex
			}
		}
		return err
	})
	if err != nil || index == 0 {
		return "", "", err
	}
	link, err := netlink.LinkByIndex(index)
	if err != nil {
		return "", "", fmt.Errorf("link %d: %w", index, err)
	}
	if link.Attrs().MasterIndex == 0 {
		return link.Attrs().Name, "", nil
	}
	master, err := netlink.LinkByIndex(link.Attrs().MasterIndex)
	if err != nil {
		return "", "", fmt.Errorf("link %d: %w", link.Attrs().MasterIndex, err)
	}
	return link.Attrs().Name, master.Attrs().Name, nil
}

// Echo sends one ICMP echo request from the calling thread's network and waits
// up to a second for the reply.
//
//	type 8  code 0  checksum 2 bytes  identifier 2 bytes  sequence 2 bytes
func Echo(to netip.Addr) error {
	if !to.Is4() {
		return errors.New("there is no address to send to")
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMP)
	if err != nil {
		return fmt.Errorf("raw socket: %w", err)
	}
	defer unix.Close(fd)
	err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1})
	if err != nil {
		return fmt.Errorf("time limit of a raw socket: %w", err)
	}
	id := uint16(os.Getpid())
	request := []byte{8, 0, 0, 0, 0, 0, 0, 1}
	binary.BigEndian.PutUint16(request[4:], id)
	// With these words the checksum of RFC 1071 is one subtraction.
	sum := uint32(8<<8) + uint32(id) + 1
	binary.BigEndian.PutUint16(request[2:], ^uint16(sum+sum>>16))
	if err := unix.Sendto(fd, request, 0, &unix.SockaddrInet4{Addr: to.As4()}); err != nil {
		return fmt.Errorf("send to %s: %w", to, err)
	}
	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); {
		packet := make([]byte, 1500)
		n, err := unix.Read(fd, packet)
		if err != nil {
			break
		}
		// A raw socket gets the IP header as well, and everybody's replies.
		header := int(packet[0]&15) * 4
		if n >= header+8 && packet[header] == 0 &&
			binary.BigEndian.Uint16(packet[header+4:]) == id &&
			netip.AddrFrom4([4]byte(packet[12:16])) == to {
			return nil
		}
	}
	return fmt.Errorf("no echo reply from %s within a second", to)
}
