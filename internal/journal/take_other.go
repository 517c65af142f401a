//go:build !linux

package journal

import (
	"context"
	"errors"
)

// Take fails: there is nothing of a container's to see on this system.
func Take() (Snapshot, error) { return Scope{}.Take() }

// Take fails as the function does.
func (s Scope) Take() (Snapshot, error) {
	return Snapshot{}, errors.New("take a snapshot: needs a Linux kernel")
}

// Settle returns no difference.
func Settle(context.Context, Snapshot) []Difference { return nil }

// Adopt does nothing.
func Adopt() error { return nil }

// ErrNone means that no run of lab has a container now.
var ErrNone = errors.New("no container of lab run, tour or check is running")

// Last finds no container: there can be none on this system.
func Last() (int, error) { return 0, ErrNone }
