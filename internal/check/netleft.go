//go:build linux

package check

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"lab/internal/journal"

	"golang.org/x/sys/unix"
)

// nothingLeft compares the host's network before and after two containers,
// once with forwarding off before and once with it on. Their subnet is a random
// one, so that what an earlier run left is of no use to them.
func nothingLeft(ctx context.Context, s *Subject) error {
	for _, value := range []string{"0", "1"} {
		subnet, err := s.randomSubnet()
		if err != nil {
			return err
		}
		err = withForwarding(value, func() error {
			before, err := journal.Take()
			if err != nil {
				return err
			}
			a, _, err := s.holdNet(ctx, "-ip", host(subnet, byte(2+s.Rand.IntN(250))).String())
			if err != nil {
				return err
			}
			b, _, err := s.holdNet(ctx)
			if err := errors.Join(err, stopAll(ctx, a, b)); err != nil {
				return err
			}
			return sameNetwork(ctx, a.Command, before,
				"What the last container does not undo stays on the host for good.")
		})
		if err != nil {
			return fmt.Errorf("with ip_forward %s before: %w", value, err)
		}
	}
	return nil
}

// sameNetwork waits until links, rules and settings are as they were.
func sameNetwork(
	ctx context.Context, command string, before journal.Snapshot, diagnosis string,
) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var left []string
	for _, d := range journal.Settle(ctx, before) {
		if d.Kind == journal.Links || d.Kind == journal.Rules || d.Kind == journal.Settings {
			left = append(left, d.String())
		}
	}
	if len(left) == 0 {
		return nil
	}
	return &Failure{
		Command: command, Expected: "links, rules and settings of the host as before",
		Kernel: strings.Join(left, "\n"), Diagnosis: diagnosis,
		Look: "ip link; nft list ruleset; cat /proc/sys/net/ipv4/ip_forward",
	}
}

// networkStays adds to a check that the host's network is as it was. The first
// check of all needs it: what a program leaves each time is, from the second run
// on, there before it starts.
func networkStays(run func(context.Context, *Subject) error) func(context.Context, *Subject) error {
	return func(ctx context.Context, s *Subject) error {
		before, err := journal.Take()
		if err != nil {
			return err
		}
		if err := run(ctx, s); err != nil {
			return err
		}
		command := shellLine([]string{s.Program, "run", "-rootfs", s.Root, s.Probe(true), "pid"})
		return sameNetwork(ctx, command, before, "What the last container does not undo stays "+
			"on the host for good.")
	}
}

// takenOver kills the program, which then can undo nothing, and runs another.
func takenOver(ctx context.Context, s *Subject) error {
	before, err := journal.Take()
	if err != nil {
		return err
	}
	h, _, err := s.holdNet(ctx)
	if err != nil {
		return err
	}
	if err := h.Signal(unix.SIGKILL); err != nil {
		return err
	}
	if _, err := h.Wait(ctx); err != nil {
		return err
	}
	// The container's end of the pair goes with its namespace, and then the
	// other end: until then its address is still taken.
	next, st, err := s.holdNet(ctx)
	if err != nil {
		return err
	}
	judged := reaches(ctx, next, os.Getpid(), st.address().Addr())
	if err := errors.Join(judged, stopAll(ctx, next)); err != nil {
		return err
	}
	return sameNetwork(ctx, next.Command, before, "The next run has to know a bridge that a "+
		"killed one left, use it, and undo all of it at its end.")
}
