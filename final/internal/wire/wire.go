// Package wire is how the runtime and init talk: over a socket that both ends of a
// clone(2) have, and later over the one by which `start` finds init.
//
//	runtime                                   init
//	Job       the operations to perform  →
//	                                     ←    Word  "the root is mounted", or an error
//	Word      go on                      →
//	…
//
// A message is its length in four bytes, most significant first, and a value as Append
// writes it. The end of the stream where a message is due means that the other side is
// dead.
package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Job is what init is sent first.
type Job struct {
	Ops   []byte         // as plan.Decode reads them
	Files map[string]int // file descriptors, by the slot they fill
	State specs.State    // for hooks
	Hide  bool           // from processes that are in the container already
	Slack int            // of timers, in nanoseconds: init has another one
}

// Word is a message of init or to init.
type Word struct {
	Point string // where init waits
	Error string // why there will be no container
}

// ErrDead means that the other side has ended.
var ErrDead = errors.New("the other side ended")

// maxMessage is more than any list of operations needs.
const maxMessage = 64 << 20

// sizeOfLength is the size of the number before each message.
const sizeOfLength = 4

// Send sends a message.
func Send(w io.Writer, message any) error {
	framed, err := Append(make([]byte, sizeOfLength), message)
	if err != nil {
		return err
	}
	binary.BigEndian.PutUint32(framed, uint32(len(framed)-sizeOfLength))
	_, err = w.Write(framed)
	return err
}

// Receive receives a message, or ErrDead.
func Receive(r io.Reader, message any) error {
	var size [sizeOfLength]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return fmt.Errorf("%w: %w", ErrDead, err)
	}
	length := binary.BigEndian.Uint32(size[:])
	if length > maxMessage {
		return fmt.Errorf("a message of %d bytes", length)
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(r, text); err != nil {
		return fmt.Errorf("%w: %w", ErrDead, err)
	}
	return NewReader(text).Read(message)
}
