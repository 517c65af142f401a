//go:build linux

package check

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

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
			return sameNetwork(ctx, a.Command, before)
		})
		if err != nil {
			return fmt.Errorf("with ip_forward %s before: %w", value, err)
		}
	}
	return nil
}

// sameNetwork waits until links, rules and settings are as they were.
func sameNetwork(ctx context.Context, command string, before journal.Snapshot) error {
	ctx, cancel := context.WithTimeout(ctx, soon())
	defer cancel()
	var left []journal.Difference
	var lines []string
	for _, d := range journal.Settle(ctx, before) {
		if d.Kind == journal.Links || d.Kind == journal.Rules || d.Kind == journal.Settings {
			left, lines = append(left, d), append(lines, d.String())
		}
	}
	if len(left) == 0 {
		return nil
	}
	f := &Failure{
		Command: command, Expected: "links, rules and settings of the host as before",
		Kernel: strings.Join(lines, "\n"),
	}
	f.leftMistake(left)
	return f
}

// leftMistake names what was not undone, by what is left of it.
//
//	links: bridge link lab0: added
//	rules: nftables table ip lab: added
//	settings: net.ipv4.ip_forward: changed from "0" to "1"
func (f *Failure) leftMistake(left []journal.Difference) {
	has := func(kind journal.Kind, part string) bool {
		return slices.ContainsFunc(left, func(d journal.Difference) bool {
			return d.Kind == kind && strings.Contains(d.What+" "+d.Change, part)
		})
	}
	links, rules := has(journal.Links, ""), has(journal.Rules, "")
	settings := has(journal.Settings, "")
	switch {
	case has(journal.Links, "removed") || has(journal.Rules, "removed"):
		f.Mistake, f.Diagnosis = "took-too-much-away", "The program removed links or rules that "+
			"are not its own: it may only undo what it has done."
		f.Look = "ip link; nft list ruleset"
	case links && (rules || settings):
		f.Mistake, f.Diagnosis = "network-not-undone", "Nothing was undone: the last container "+
			"has to take away the bridge, the rules and the settings that the first one brought."
		f.Look = "ip link; nft list ruleset; cat /proc/sys/net/ipv4/ip_forward"
	case has(journal.Links, "bridge"):
		f.Mistake, f.Diagnosis = "bridge-left", "The bridge stays when nobody is on it any more: "+
			"the last container has to delete it."
		f.Look = "ip link show type bridge"
	case has(journal.Links, "veth"):
		f.Mistake, f.Diagnosis = "veth-left", "A veth pair stays on the host: whichever way the "+
			"program ends, it has to delete what it has made by then."
		f.Look = "ip link show type veth"
	case links:
		f.Mistake, f.Diagnosis = "link-left", "A link or a route stays on the host when the last "+
			"container has ended."
		f.Look = "ip link; ip route"
	case rules:
		f.Mistake, f.Diagnosis = "rules-left", "The rules for packets stay when no container "+
			"needs them any more: the last one has to delete them."
		f.Look = "nft list ruleset; iptables -t nat -S"
	case has(journal.Settings, `"1" to "0"`):
		f.Mistake, f.Diagnosis = "ip-forward-turned-off", "The host forwarded packets before, and "+
			"now it does not: what was there is to be put back, not 0."
		f.Look = "cat /proc/sys/net/ipv4/ip_forward"
	default:
		f.Mistake, f.Diagnosis = "ip-forward-not-restored", "The host goes on forwarding packets: "+
			"keep what the setting was before it is changed, and put that back."
		f.Look = "cat /proc/sys/net/ipv4/ip_forward"
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
		return sameNetwork(ctx, command, before)
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
	if f, ok := errors.AsType[*Failure](err); ok && f.Mistake == "gave-up" {
		f.Expected = "the next container runs, after one whose program was killed"
		f.Mistake, f.Diagnosis = "left-bridge-in-the-way", "A bridge that a killed program left "+
			"is in the way of the next: it is to be known as ours, and used or removed."
	}
	if err != nil {
		return err
	}
	judged := reaches(ctx, next, os.Getpid(), st.address().Addr())
	if err := errors.Join(judged, stopAll(ctx, next)); err != nil {
		return err
	}
	err = sameNetwork(ctx, next.Command, before)
	if f, ok := errors.AsType[*Failure](err); ok {
		f.Mistake, f.Diagnosis = "killed-run-not-undone", "A killed program can undo nothing, so "+
			"the next has to: its end leaves what the killed one had made, or changed."
	}
	return err
}
