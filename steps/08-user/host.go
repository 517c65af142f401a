package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// settings are the host's that forwarding changes, the first by us and the
// second by the kernel, which turns it off and on the other way round.
const settings = "ip_forward conf/all/accept_redirects"

// lockHost keeps the other containers of this host from coming and going
// until the returned file is closed: what the bridge has as ports tells who is
// there, and must not change between looking and acting. The network namespace
// is a file as well, and locking that one leaves nothing behind.
//
//	flock /proc/self/ns/net COMMAND
func lockHost() (*os.File, error) {
	f, err := os.Open("/proc/self/ns/net")
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("flock %s: %w", f.Name(), err),
			f.Close())
	}
	return f, nil
}

// readSettings returns the host's settings as they are now.
//
//	ip_forward=0 conf/all/accept_redirects=1
func readSettings() string {
	var words []string
	for name := range strings.FieldsSeq(settings) {
		value, err := os.ReadFile("/proc/sys/net/ipv4/" + name)
		if err == nil { // what cannot be read will not be written
			words = append(words, name+"="+strings.TrimSpace(string(value)))
		}
	}
	return strings.Join(words, " ")
}

// writeSettings makes the host's settings those in the text, which is one of
// readSettings. Those that are so already are not written.
func writeSettings(text string) error {
	for word := range strings.FieldsSeq(text) {
		if strings.Contains(" "+readSettings()+" ", " "+word+" ") {
			continue
		}
		name, value, _ := strings.Cut(word, "=")
		// sysctl net.ipv4.ip_forward=0
		err := os.WriteFile("/proc/sys/net/ipv4/"+name, []byte(value), 0)
		if err != nil {
			return fmt.Errorf("%s=%s: %w", name, value, cause(err))
		}
	}
	return nil
}
