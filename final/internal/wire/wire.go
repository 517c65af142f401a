// Package wire is how the runtime and init talk: over a socket that both ends of a
// clone(2) have, and later over the one by which `start` finds init.
//
//	runtime                                   init
//	Job       the operations to perform  →
//	                                     ←    Word  "the root is mounted", or an error
//	Word      go on                      →
//	…
//
// A message is its length in four bytes, most significant first, and JSON. The end of
// the stream where a message is due means that the other side is dead.
package wire

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Job is what init is sent first.
type Job struct {
	Ops   json.RawMessage `json:"ops"`   // as plan.Decode reads them
	Files map[string]int  `json:"files"` // file descriptors, by the slot they fill
	State specs.State     `json:"state"` // for hooks
	Hide  bool            `json:"hide"`  // from processes that are in the container already
}

// Word is a message of init or to init.
type Word struct {
	Point string `json:"point,omitempty"` // where init waits
	Error string `json:"error,omitempty"` // why there will be no container
}

// ErrDead means that the other side has ended.
var ErrDead = errors.New("the other side ended")

// maxMessage is more than any list of operations needs.
const maxMessage = 64 << 20

// Send sends a message.
func Send(w io.Writer, message any) error {
	text, err := json.Marshal(message)
	if err != nil {
		return err
	}
	framed := binary.BigEndian.AppendUint32(make([]byte, 0, len(text)+4), uint32(len(text)))
	_, err = w.Write(append(framed, text...))
	return err
}

// Receive receives a message, or ErrDead.
func Receive(r io.Reader, message any) error {
	var size [4]byte
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
	return json.Unmarshal(text, message)
}
