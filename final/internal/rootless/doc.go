// Package rootless gives an ordinary user the namespaces in which an engine works as it
// does for root.
//
//	status, err := rootless.Enter(rootless.Call{State: state, Root: root, Args: args})
//
// Enter runs this program once more as root of a user namespace: 0 is the user, and what
// follows are the ids that /etc/subuid and /etc/subgid lend them, if newuidmap(1) and
// newgidmap(1) are there to map them. All commands of a user are in one such namespace,
// for a process can only join the namespaces of another that its own user namespace owns.
// It outlives a command as long as somebody is in it: a process without a task, the
// keeper, holds it for those who come.
//
//	STATE/user/users         locked (flock(2)) by all who are there: shared by them, and in
//	                         the end exclusively by the keeper, who then knows that nobody is
//	STATE/user/keeper.json   who the keeper is
//	STATE/network/…          the same for the network namespace in which the bridges are
//
// The network namespace stands for the host: its bridges, rules and addresses are made in
// it, by a thread that goes there (Network.Do). What leads out of it is the business of
// slirp4netns(1) or pasta(1), if one of them is installed.
//
// See user_namespaces(7), newuidmap(1), subuid(5), flock(2).
package rootless
