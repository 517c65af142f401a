//go:build linux

package box

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// nameOf returns the name of an id in /etc/passwd or /etc/group, or def. A missing
// file is an empty one: a container's root need not have users.
//
//	root:x:0:0:root:/root:/bin/sh
//	(1)    (2)
//
// (1) the name, (2) the id.
func nameOf(file string, id int, def string) string {
	for _, fields := range accounts(file) {
		if fields[2] == strconv.Itoa(id) {
			return fields[0]
		}
	}
	return def
}

// idOf returns the id of a name or number; -1, "leave it", for the empty name.
func idOf(file, name string) (int, error) {
	if name == "" {
		return -1, nil
	}
	for _, fields := range accounts(file) {
		if fields[0] == name {
			return strconv.Atoi(fields[2])
		}
	}
	id, err := strconv.Atoi(name)
	if err != nil || id < 0 {
		return 0, fmt.Errorf("%q is neither a number nor in %s", name, file)
	}
	return id, nil
}

// accounts returns the fields of every line of /etc/passwd or /etc/group.
func accounts(file string) [][]string {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	var list [][]string
	for line := range strings.Lines(string(text)) {
		if fields := strings.Split(strings.TrimSpace(line), ":"); len(fields) >= 3 {
			list = append(list, fields)
		}
	}
	return list
}

// signalByName returns the signal of a name or number: TERM, SIGTERM or 15.
func signalByName(name string) (syscall.Signal, bool) {
	if n, err := strconv.Atoi(name); err == nil {
		return syscall.Signal(n), n > 0 && n <= 64
	}
	name = "SIG" + strings.TrimPrefix(strings.ToUpper(name), "SIG")
	sig := unix.SignalNum(name)
	return sig, sig != 0
}

// signalName returns the name of a signal without SIG.
func signalName(sig syscall.Signal) string {
	if name := unix.SignalName(sig); name != "" {
		return strings.TrimPrefix(name, "SIG")
	}
	return strconv.Itoa(int(sig))
}
