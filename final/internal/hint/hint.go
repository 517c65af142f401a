// Package hint gives errors something to try, which whoever prints them shows in a line of
// its own:
//
//	mini: volume "data": in use by web
//	hint: mini rm removes the containers that have it
//
// An error of any package has one if it has the method Hint.
package hint

import (
	"errors"
	"syscall"
)

// hinted is an error with something to try.
type hinted struct {
	error
	hint string
}

// Unwrap returns the error itself.
func (h *hinted) Unwrap() error { return h.error }

// Hint is what to try.
func (h *hinted) Hint() string { return h.hint }

// Add gives an error something to try.
func Add(err error, hint string) error { return &hinted{err, hint} }

// New makes an error with something to try.
func New(text, hint string) error { return Add(errors.New(text), hint) }

// Of is what to try against an error, or nothing: what was added last. Against a full disk
// the same helps everywhere.
func Of(err error) string {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return "mini system df shows what takes the room, mini system prune makes some"
	}
	h, ok := errors.AsType[interface {
		error
		Hint() string
	}](err)
	if !ok {
		return ""
	}
	return h.Hint()
}
