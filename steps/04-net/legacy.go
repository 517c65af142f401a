package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// openLegacyForward does what openForward does where the firewall was made by
// the older iptables: the kernel keeps its rules apart, and it takes that tool
// to change them. It runs on the host.
func openLegacyForward() error {
	if !hasLegacyRules() {
		return nil
	}
	// iptables-legacy -S FORWARD
	//  -P FORWARD DROP
	//  -A FORWARD -i eth1 -j ACCEPT
	text, err := legacy("-S", "FORWARD")
	if err != nil || !strings.HasPrefix(text, "-P FORWARD DROP\n") {
		return err
	}
	for _, rule := range legacyRules() {
		// A container before this one may have made them.
		if _, err := legacy("-C", rule...); err == nil {
			continue
		}
		if _, err := legacy("-I", rule...); err != nil {
			return err
		}
	}
	return nil
}

// closeLegacyForward removes our rules from the older firewall.
func closeLegacyForward() {
	if !hasLegacyRules() {
		return
	}
	for _, rule := range legacyRules() {
		_, _ = legacy("-D", rule...) // complains if there is none
	}
}

// legacyRules are our two, each marked by a comment.
func legacyRules() [][]string {
	words := "FORWARD %s lab0 -m comment --comment lab0 -j ACCEPT"
	return [][]string{
		strings.Fields(fmt.Sprintf(words, "-i")),
		strings.Fields(fmt.Sprintf(words, "-o")),
	}
}

// hasLegacyRules reports whether the host has a firewall of the older kind. The
// file tells for one thread: the first one, which /proc/net stands for, may be
// in the container's network at this moment.
//
//	filter
//	nat
func hasLegacyRules() bool {
	names, err := os.ReadFile("/proc/thread-self/net/ip_tables_names")
	return err == nil &&
		slices.Contains(strings.Fields(string(names)), "filter")
}

// legacy runs the older iptables, which is just iptables on an older host.
func legacy(do string, rule ...string) (string, error) {
	tool, err := exec.LookPath("iptables-legacy")
	if err != nil {
		tool, err = exec.LookPath("iptables")
	}
	if err != nil {
		return "", errors.New("iptables-legacy is not here " +
			"to look after its rules")
	}
	// -w waits for others who change the rules at this moment.
	out, err := exec.Command(tool, append([]string{"-w", do}, rule...)...).
		CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s %s %s: %s", tool, do, strings.Join(rule, " "),
			bytes.TrimSpace(out))
	}
	return string(out), err
}
