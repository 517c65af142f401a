//go:build linux

package trace

import (
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/sys/unix"
)

// longest is how many characters of a string and how many words of an argv are
// shown; a path is shown whole.
const longest = 80

// quote returns a string in the syntax of C, as strace(1) does: what cannot be
// printed is an escape in octal, with three digits where a digit follows.
func quote(s string) string {
	var out strings.Builder
	out.WriteByte('"')
	for i := range len(s) {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			out.WriteByte('\\')
			out.WriteByte(c)
		case c >= ' ' && c < 0x7f:
			out.WriteByte(c)
		case c >= '\t' && c <= '\r': // 9 to 13: \t \n \v \f \r
			out.WriteByte('\\')
			out.WriteByte("tnvfr"[c-'\t'])
		case i+1 < len(s) && s[i+1] >= '0' && s[i+1] <= '9':
			fmt.Fprintf(&out, `\%03o`, c)
		default:
			fmt.Fprintf(&out, `\%o`, c)
		}
	}
	out.WriteByte('"')
	return out.String()
}

// pointer returns an address as C would print it.
func pointer(addr uint64) string {
	if addr == 0 {
		return "NULL"
	}
	return fmt.Sprintf("%#x", addr)
}

// hex returns a number in hexadecimal; 0 has no prefix.
func hex(n uint64) string {
	if n == 0 {
		return "0"
	}
	return fmt.Sprintf("%#x", n)
}

// octal returns a mode.
func octal(n uint64) string { return fmt.Sprintf("%#03o", n) }

// signalName returns SIGTERM for 15.
func signalName(n uint64) string {
	if name := unix.SignalName(unix.Signal(n)); name != "" && n < 32 {
		return name
	}
	if n >= 32 && n <= 64 {
		return fmt.Sprintf("SIGRT_%d", n-32)
	}
	return fmt.Sprint(n)
}

// firstRestart is the lowest of the error numbers that the kernel keeps to itself:
// only a tracer sees that a call will be made again.
const firstRestart = 512

// errorName returns EPERM for 1.
func errorName(errno unix.Errno) string {
	switch int(errno) {
	case firstRestart:
		return "ERESTARTSYS"
	case 513:
		return "ERESTARTNOINTR"
	case 514:
		return "ERESTARTNOHAND"
	case 516:
		return "ERESTART_RESTARTBLOCK"
	}
	if name := unix.ErrnoName(errno); name != "" {
		return name
	}
	return fmt.Sprintf("errno %d", int(errno))
}

// capability returns CAP_CHOWN for 0.
func capability(n uint64) string {
	if n < uint64(len(capabilities)) {
		return capabilities[n]
	}
	return fmt.Sprintf("%#x /* CAP_??? */", n)
}

// capabilitySet returns a set in the way of strace(1): 1<<CAP_CHOWN|1<<CAP_KILL.
func capabilitySet(set uint64) string {
	if set == 0 {
		return "0"
	}
	var names []string
	for n := range uint64(64) {
		if set&(1<<n) == 0 {
			continue
		}
		if n < uint64(len(capabilities)) {
			names = append(names, "1<<"+capabilities[n])
		} else {
			names = append(names, fmt.Sprintf("%#x", uint64(1)<<n))
		}
	}
	return strings.Join(names, "|")
}

// printable replaces what would move the cursor or colour the terminal: names of
// files and processes are the traced program's to choose.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}
