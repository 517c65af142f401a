package main

import "flag"

// network is what the parent tells the child about its network.
type network struct {
	Address string // with prefix length, such as 10.88.0.2/24
	Gateway string // the bridge's address
}

// flags adds the flags of this file's topic.
func (n *network) flags(f *flag.FlagSet) {
	f.StringVar(&n.Address, "ip", "", "")
}

// connect runs on the host.
func connect(*container) error { return nil }

// setUpLinks runs in the container.
func setUpLinks(*container) error { return nil }
