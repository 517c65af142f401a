package main

import (
	"fmt"
	"os"
	"os/exec"
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

// asRoot is this very command line for root, ready to be pasted.
func asRoot() string {
	words := []string{"sudo", os.Args[0]}
	for _, w := range os.Args[1:] {
		if strings.ContainsAny(w, " \t\n\"'\\$`!#&|;<>()*?[]{}~") || w == "" {
			w = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		words = append(words, w)
	}
	return strings.Join(words, " ")
}
