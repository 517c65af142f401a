package runtime

import (
	"errors"
	"fmt"
	"os"

	"lab/final/internal/plan"
	"lab/final/internal/rootfs"
	"lab/final/internal/stage"

	"golang.org/x/sys/unix"
)

// openTree opens a part of the host for init, and gives its files other owners if that is
// asked for. A mount made in it shall not be seen where it comes from.
func openTree(op plan.OpenTree) (*os.File, error) {
	fd, err := rootfs.OpenTree(op.Source, op.Recursive)
	if err != nil {
		return nil, err
	}
	tree := os.NewFile(uintptr(fd), op.Source)
	if err := rootfs.SetPropagation(fd, op.Propagation); err != nil || len(op.UIDs) == 0 {
		return tree, err
	}
	namespace, err := throwAway(op)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make a user namespace: %w", err), tree.Close())
	}
	defer namespace.Close()
	if err := rootfs.MapOwners(fd, int(namespace.Fd()), op.MapAll); err != nil {
		return nil, errors.Join(fmt.Errorf("map the ids: %w", err), tree.Close())
	}
	return tree, nil
}

// throwAway makes a user namespace that nobody lives in. It takes a process to make one:
// an init that is told nothing, and so ends. The open file keeps the namespace.
func throwAway(op plan.OpenTree) (namespace *os.File, err error) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socketpair: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(ends[0]), "runtime"), os.NewFile(uintptr(ends[1]), "init")
	child := stage.Child{
		Args:  []string{"minirun", "init", "0"},
		Files: []*os.File{theirs},
		New:   unix.CLONE_NEWUSER, UIDs: op.UIDs, GIDs: op.GIDs,
	}
	if child.Exe, err = stage.Self(); err != nil {
		return nil, errors.Join(err, ours.Close(), theirs.Close())
	}
	pid, err := stage.Start(&child)
	err = errors.Join(err, child.Exe.Close(), theirs.Close())
	if err == nil {
		namespace, err = os.Open(fmt.Sprintf("/proc/%d/ns/user", pid))
	}
	err = errors.Join(err, ours.Close()) // the end of it
	if pid > 0 {
		_, _ = unix.Wait4(pid, nil, 0, nil) // how it ended tells nothing
	}
	return namespace, err
}
