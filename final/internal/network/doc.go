// Package network gives containers their network: bridges, veth pairs, addresses,
// published ports, and the names by which containers find each other.
//
//	store, err := network.Open("/var/lib/mini/networks")
//	lease, err := store.Attach(network.Request{
//		ID: id, Name: "web", PID: pid,
//		Join:  []network.Join{{Network: network.Default}},
//		Ports: ports, HostsFile: hosts,
//	})
//	err = store.Detach(id)
//
// Attach is called when the container's first process exists and its command does
// not run yet, for the network namespace that is furnished is that process's,
// /proc/PID/ns/net. Detach may be called any number of times. Whatever a killed
// program has left is found and undone by the next call of either: who holds an
// address is written down with the process that it was given to, and once that
// process is dead the address is free and the ports are closed.
//
// On the host there is a bridge for each network that is in use and one table of
// nftables rules, named mini, that is made anew in one transaction whenever it has to
// change. The one thing outside of that table: where another table drops what is
// forwarded unless it is told otherwise, as docker's does, two rules there let the
// bridge's packets through, marked with its name. All of it goes with the last
// container, and net.ipv4.ip_forward is what it was, unless there is a bridge of somebody
// else, who may count on it by then.
//
// A container reaches the published ports of its neighbours by the host's addresses, but
// not its own: the kernel does not route a packet that would come from where it goes.
// Addresses are IPv4's. This package alone uses netlink(7) and nft(8).
// See network_namespaces(7), veth(4), bridge(8).
package network
