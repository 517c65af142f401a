package runtime

import (
	"errors"
	"fmt"
	"os"

	"lab/final/internal/plan"
	"lab/final/internal/rootfs"
	"lab/final/internal/stage"
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
	// Its process is an init that is told nothing, and so ends.
	namespace, err := stage.UserNamespace([]string{"minirun", "init", "0"}, op.UIDs, op.GIDs)
	if err != nil {
		return nil, errors.Join(err, tree.Close())
	}
	defer namespace.Close()
	if err := rootfs.MapOwners(fd, int(namespace.Fd()), op.MapAll); err != nil {
		return nil, errors.Join(fmt.Errorf("map the ids: %w", err), tree.Close())
	}
	return tree, nil
}
