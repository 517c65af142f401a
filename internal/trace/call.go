//go:build linux

package trace

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// Call is one system call of a traced thread.
type Call struct {
	Name string
	Bits string // "32-bit" for a call of a 32-bit program

	args    [6]uint64
	kinds   []string // what the arguments are, as in calls.txt
	decoded []arg
	abi     abi
	watched bool
	shown   bool

	finished bool
	result   int64
	errno    unix.Errno
	child    *process // of a clone that succeeded
	pid      int      // that child's number, as the caller gets it
}

// arg is one argument as text and, where words are made of it, its value.
type arg struct {
	text  string
	brief string // for people, where the text is longer than a line
	str   string // a string without quotes, a descriptor's path
	list  []string
	num   uint64
}

// newCall makes a call of what the kernel says at its entry.
func (t *table) newCall(info syscallInfo) *Call {
	a := t.abi(info.Arch)
	c := &Call{abi: a, Name: a.name(info.Data[0]), Bits: a.bits}
	copy(c.args[:], info.Data[1:7])
	if a.word == 8 && info.Data[0]&x32 != 0 {
		c.Bits = "x32"
	}
	return c
}

// arg returns the argument at an index; beyond the end it is empty.
func (c *Call) arg(i int) arg {
	if i >= 0 && i < len(c.decoded) {
		return c.decoded[i]
	}
	return arg{}
}

// Text returns the call as strace(1) prints it, without the result.
func (c *Call) Text() string { return c.Name + "(" + strings.Join(c.Args(), ", ") + ")" }

// Args returns the arguments' texts.
func (c *Call) Args() []string {
	texts := make([]string, len(c.decoded))
	for i, a := range c.decoded {
		texts[i] = a.text
	}
	return texts
}

// Result returns what the call returned, as strace(1) prints it: a number or
// an error's name and meaning; ? where it never returned.
func (c *Call) Result() string {
	switch {
	case !c.finished:
		return "?"
	case c.errno >= firstRestart:
		return "? " + errorName(c.errno) + " (To be restarted)"
	case c.errno != 0:
		return fmt.Sprintf("-1 %s (%s)", errorName(c.errno), meaning(c.errno))
	case c.result < 0 || c.result > 1<<31:
		return fmt.Sprintf("%#x", uint64(c.result))
	}
	text := fmt.Sprint(c.result)
	if c.child != nil && c.child.pid != c.pid {
		text += fmt.Sprintf(" /* %d in lab's PID NS */", c.child.pid)
	}
	return text
}

// Failed reports whether the call returned an error.
func (c *Call) Failed() bool { return c.finished && c.errno != 0 }

// meaning returns what an error number means, as strerror(3) has it.
func meaning(errno unix.Errno) string {
	text := errno.Error()
	return strings.ToUpper(text[:1]) + text[1:]
}

// finish takes the result from what the kernel says at the call's exit.
func (c *Call) finish(info syscallInfo) {
	c.finished = true
	c.result = int64(info.Data[0])
	if info.Data[1]&0xff != 0 { // is_error, a byte
		c.errno = unix.Errno(-c.result)
	}
}
