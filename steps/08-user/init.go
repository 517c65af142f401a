package main

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// initialize is the child's life, in the container: make the new namespaces
// what they should be, then look after the command.
func initialize(c *container) (int, error) {
	if err := becomeRoot(c); err != nil {
		return 0, err
	}
	c.signals = listen() // while the parent is at work
	if !await(c) {
		return 125, nil // the parent gave up and has said why
	}
	for _, do := range []func(*container) error{
		enterCgroups,
		dieWithParent,
		checkRights,
		setHostname,
		setUpLinks,
		takeRoot,
		enterRoot,
		useNameservers,
	} {
		if err := do(c); err != nil {
			return 0, err
		}
	}
	return supervise(c)
}

// setHostname names the container. It runs in the container: the parent's
// sethostname(2) would rename the host.
func setHostname(c *container) error {
	if err := unix.Sethostname([]byte(c.Hostname)); err != nil {
		return fmt.Errorf("sethostname %q: %w", c.Hostname, err)
	}
	return nil
}

// asRoot is this very command line for root, ready to be pasted. sudo(8) has a
// PATH of its own, so a program that was found on ours gets its full path.
func asRoot() string {
	words := slices.Clone(os.Args)
	if path, err := exec.LookPath(words[0]); err == nil {
		words[0] = path
	}
	for i, w := range words {
		if strings.ContainsAny(w, " \t\n\"'\\$`!#&|;<>()*?[]{}~") || w == "" {
			words[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return "sudo " + strings.Join(words, " ")
}
