//go:build linux

package check

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"lab/internal/journal"
)

// addressAsAsked gives a random address and reads it back from the kernel.
func addressAsAsked(ctx context.Context, s *Subject) error {
	subnet, err := s.randomSubnet()
	if err != nil {
		return err
	}
	want := host(subnet, byte(2+s.Rand.IntN(250)))
	h, st, err := s.holdNet(ctx, "-ip", want.String())
	if err != nil {
		return err
	}
	var judged error
	if f := st.wrong(want); f != nil {
		f.Command, f.Kernel = h.Command, st.String()
		if f.Look == "" {
			f.Look = fmt.Sprintf("nsenter -t %s -n ip addr", h.pid())
		}
		judged = f
	}
	return errors.Join(judged, stopAll(ctx, h))
}

// wrong says what is wrong with a container's address and route, nil if nothing is.
func (st netState) wrong(want netip.Prefix) *Failure {
	name, got := st.link()
	gateway, _ := netip.ParseAddr(st.gateway) // the zero one is in no subnet
	f := &Failure{Expected: "the address " + want.String()}
	switch {
	case name == "":
		f.Mistake, f.Diagnosis = "veth-not-moved", "The container has its loopback and no other "+
			"link: one end of a veth pair has to be moved into its namespace."
	case !got.IsValid():
		f.Mistake, f.Diagnosis = "no-address", "The container's end of the veth pair has no address: "+
			"it has to get one inside, for a link loses those it had when it is moved."
	case got.Addr() != want.Addr():
		f.Mistake, f.Diagnosis = "ip-flag-ignored", "The container has an address, and not the one "+
			"that -ip asks for."
	case got.Bits() == 32:
		f.Mistake, f.Diagnosis = "address-without-prefix", "The address was given without the length "+
			"of its network, so it is a /32: nobody is its neighbour."
	case got != want:
		f.Mistake, f.Diagnosis = "wrong-prefix-length", "The address is the one that was asked for, "+
			"and the length of its network is another."
	case !st.up[name]:
		f.Expected = name + " is up"
		f.Mistake, f.Diagnosis = "link-down", "The container's end of the veth pair is down: "+
			"it has an address and passes no packet."
	case st.gateway == "":
		f.Expected = "a default route via an address of " + want.Masked().String()
		f.Mistake, f.Diagnosis = "no-default-route", "The subnet is all that the container reaches: "+
			"the rest of the world needs a default route, via the bridge's address."
	case !want.Contains(gateway):
		f.Expected = "a default route via an address of " + want.Masked().String()
		f.Mistake, f.Diagnosis = "gateway-elsewhere", "The default route leads via an address that "+
			"is in no network of the container."
	default:
		return nil
	}
	return f
}

// freeAddresses starts two containers without -ip.
func freeAddresses(ctx context.Context, s *Subject) error {
	a, first, err := s.holdNet(ctx)
	if err != nil {
		return err
	}
	b, second, err := s.holdNet(ctx)
	if f, ok := errors.AsType[*Failure](err); ok && f.Mistake == "gave-up" {
		f.Expected = "a second container runs beside the first"
		f.Mistake, f.Diagnosis = "bridge-not-shared", "The first container's bridge is in the way of "+
			"the second: one that is there is to be used, not made again."
	}
	if err != nil {
		return errors.Join(err, stopAll(ctx, a))
	}
	var judged error
	one, two := first.address(), second.address()
	if !one.IsValid() || one == two || one.Masked() != two.Masked() {
		f := &Failure{
			Command: a.Command, Expected: "two addresses of one subnet",
			Kernel:  fmt.Sprintf("the first has %s; the second %s", first, second),
			Mistake: "subnets-differ",
			Diagnosis: "The two containers are in two networks, and have no way to each other: " +
				"one bridge has one subnet.",
			Look: fmt.Sprintf("nsenter -t %s -n ip addr; nsenter -t %s -n ip addr", a.pid(), b.pid()),
		}
		switch {
		case !one.IsValid():
			f.Mistake, f.Diagnosis = "no-address", "Without -ip the container has no address at all: "+
				"the program has to choose one."
		case one.Addr() == two.Addr():
			f.Mistake, f.Diagnosis = "address-given-twice", "Both have the same address: "+
				"look which are in use before one is chosen."
		}
		judged = f
	}
	return errors.Join(judged, stopAll(ctx, a, b))
}

// takenAddress asks for the address of a running container.
func takenAddress(ctx context.Context, s *Subject) error {
	a, st, err := s.holdNet(ctx)
	if err != nil {
		return err
	}
	before, err := journal.Take()
	if err != nil {
		return errors.Join(err, stopAll(ctx, a))
	}
	flags := []string{"-rootfs", s.Root, "-ip", st.address().String()}
	r, err := s.Run(ctx, "", flags, s.Probe(true), "exit", "0")
	if err == nil {
		err = wantStatus(r, 125, "The address is a running container's, and each would take the "+
			"other's packets: the program has to refuse, and to run nothing.")
		err = named(err, "taken-address-accepted")
	}
	if err == nil {
		err = sameNetwork(ctx, r.Command, before)
		if f, ok := errors.AsType[*Failure](err); ok && f.Mistake == "took-too-much-away" {
			f.Mistake, f.Diagnosis = "leaves-with-the-bridge", "A run that was refused took away what "+
				"a running container needs: only the last one may undo what they share."
		}
	}
	return errors.Join(err, stopAll(ctx, a))
}
