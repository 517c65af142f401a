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
// what they should be, then become the command.
func initialize(c *container) (int, error) {
	if err := setHostname(c); err != nil {
		return 0, err
	}
	return 0, execute(c)
}

// setHostname names the container. It runs in the container: the parent's
// sethostname(2) would rename the host.
func setHostname(c *container) error {
	if err := unix.Sethostname([]byte(c.Hostname)); err != nil {
		return fmt.Errorf("sethostname %q: %w", c.Hostname, err)
	}
	return nil
}

// execute replaces this program by the command; it returns only an error.
func execute(c *container) error {
	path, err := exec.LookPath(c.Command[0])
	if err != nil {
		return err
	}
	err = unix.Exec(path, c.Command, os.Environ())
	return &exec.Error{Name: path, Err: err}
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
