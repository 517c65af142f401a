//go:build linux

package stage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"unsafe"
)

// word is what a process of the stage says: one packet on the socket.
type word struct {
	step  uint32
	index uint32 // of the namespace, file or cgroup
	value uint32 // errno; of stepBorn the pid
}

// The steps: two are messages, the others have failed.
const (
	stepReady uint32 = iota // wait for maps and offsets
	stepBorn                // the second process is there
	stepTasks
	stepTarget
	stepJoin
	stepRename
	stepUser
	stepTime
	stepRoot
	stepAmbient
	stepFiles
	stepHide
	stepClone
	stepExec
)

// statusAlone is the exit status of a process that nobody waits for any longer.
const statusAlone = 125

// receive reads one word; it is nil when nobody can say anything any longer.
func receive(socket *os.File) (*word, error) {
	var packet [unsafe.Sizeof(word{})]byte
	n, err := socket.Read(packet[:])
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if n != len(packet) {
		return nil, fmt.Errorf("a word of %d bytes", n)
	}
	number := func(at int) uint32 { return binary.NativeEndian.Uint32(packet[at:]) }
	return &word{number(0), number(4), number(8)}, nil
}

// explain is the error that a word tells.
func (c *Child) explain(w *word) error {
	errno := syscall.Errno(w.value)
	switch w.step {
	case stepTasks:
		return fmt.Errorf("write 0 to %s: %w", c.Tasks[w.index].Name(), errno)
	case stepTarget:
		return fmt.Errorf("join the namespaces %s: %w", FlagNames(c.Join), errno)
	case stepJoin:
		n := c.Namespaces[w.index]
		return fmt.Errorf("join the namespace %s %s: %w", FlagNames(n.Kind), n.File.Name(), errno)
	case stepClone:
		return fmt.Errorf("clone with %s: %w", FlagNames(c.New), errno)
	case stepExec:
		return fmt.Errorf("execute %s: %w", c.Exe.Name(), errno)
	}
	steps := map[uint32]string{
		stepRename:  "execute the read-only clone",
		stepUser:    "unshare CLONE_NEWUSER",
		stepTime:    "unshare CLONE_NEWTIME",
		stepRoot:    "become root of the user namespace",
		stepAmbient: "keep capabilities in a user namespace without root",
		stepFiles:   "arrange open files",
		stepHide:    "make the process untraceable",
	}
	return fmt.Errorf("%s: %w", steps[w.step], errno)
}
