package network

import (
	"errors"
	"fmt"
	"strings"
)

// Mode is what --network asks for.
type Mode struct {
	Kind      Kind
	Name      string // the network's, for a Bridge
	Container string // whose network is shared, for Shared
}

// Kind tells the modes apart.
type Kind int

// The ways a container has a network.
const (
	Bridge Kind = iota // on a network of ours
	Host               // the host's own
	None               // loopback only
	Shared             // another container's
)

// ParseMode reads what --network was given: bridge, host, none, container:NAME, or the
// name of a network.
func ParseMode(text string) (Mode, error) {
	if name, ok := strings.CutPrefix(text, "container:"); ok {
		if name == "" {
			return Mode{}, errors.New("network \"container:\": expected container:NAME")
		}
		return Mode{Kind: Shared, Container: name}, nil
	}
	switch text {
	case "", "default", Default:
		return Mode{Kind: Bridge, Name: Default}, nil
	case "host":
		return Mode{Kind: Host}, nil
	case "none":
		return Mode{Kind: None}, nil
	}
	if !nameRule.MatchString(text) {
		return Mode{}, fmt.Errorf("network %q: %w", text, ErrName)
	}
	return Mode{Kind: Bridge, Name: text}, nil
}

// String is the mode as it was written.
func (m Mode) String() string {
	switch m.Kind {
	case Host:
		return "host"
	case None:
		return "none"
	case Shared:
		return "container:" + m.Container
	default:
		return m.Name
	}
}
