package plan

import (
	"errors"
	"fmt"
	"strings"

	"lab/final/internal/spec"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// OpenTree opens a part of the host as a mount that has no place yet. Root does it, and
// not init, where init may not: root of another user namespace cannot pass a directory
// that is closed to all but its owner.
//
// With maps its files belong to others: what is user 0 on the disk is the user whom 0
// stands for in the maps. They are those of a user namespace that is made for it and
// thrown away.
type OpenTree struct {
	Tree      string                 `json:"tree"` // its slot
	Source    string                 `json:"source"`
	Recursive bool                   `json:"recursive,omitempty"` // with all mounted below it
	MapAll    bool                   `json:"mapAll,omitempty"`    // those are mapped, too
	UIDs      []specs.LinuxIDMapping `json:"uids,omitempty"`
	GIDs      []specs.LinuxIDMapping `json:"gids,omitempty"`
	// Propagation parts it from the mounts of which it is a copy.
	Propagation uintptr `json:"propagation"`
}

// Words tell about it.
func (t OpenTree) Words() Words {
	clone, set, mount := "OPEN_TREE_CLONE", "AT_EMPTY_PATH", "bind"
	if t.Recursive {
		clone, mount = clone+"|AT_RECURSIVE", "rbind"
	}
	if t.MapAll {
		set += "|AT_RECURSIVE"
	}
	call := fmt.Sprintf("open_tree(%q, %s); mount_setattr(AT_RECURSIVE, {propagation=%s})",
		t.Source, clone, flagText(t.Propagation&^unix.MS_REC))
	if len(t.UIDs) == 0 {
		return Words{
			Does: "open " + t.Source + " for init", Call: call, Man: "open_tree(2)",
		}
	}
	ids := make([]string, 0, len(t.UIDs)+len(t.GIDs))
	for _, m := range t.UIDs {
		ids = append(ids, fmt.Sprintf("u:%d:%d:%d", m.ContainerID, m.HostID, m.Size))
	}
	for _, m := range t.GIDs {
		ids = append(ids, fmt.Sprintf("g:%d:%d:%d", m.ContainerID, m.HostID, m.Size))
	}
	return Words{
		Does: "open " + t.Source + " with other owners",
		Call: fmt.Sprintf("%s; clone3({flags=CLONE_NEWUSER}); "+
			"mount_setattr(%s, {set=MOUNT_ATTR_IDMAP, userns_fd})", call, set),
		Shell: fmt.Sprintf("mount --%s -o X-mount.idmap=%q %s …",
			mount, strings.Join(ids, " "), t.Source),
		Man: "mount_setattr(2)",
	}
}

// TreeSlot is where the tree of a mount is found by its number among the mounts.
func TreeSlot(i int) string { return fmt.Sprintf("fd:tree%d", i) }

// RootTree is the slot of the root, where that is opened for init.
const RootTree = "fd:rootTree"

// opensAhead reports whether root opens for init what root of the container's user
// namespace may not reach.
func (c *compiler) opensAhead() bool {
	_, other := spec.Namespace(c.config, specs.UserNamespace)
	return other && !c.host.Rootless
}

// openTrees compiles what is opened for init, which gets it as it is born: the mounts
// whose files change owners, and what it may not reach.
func (c *compiler) openTrees() error {
	flags := c.parting()
	ahead := c.opensAhead()
	if ahead && !c.request.NoPivot {
		c.add(TitleUser, Runtime, RootTree, OpenTree{
			Tree: RootTree, Source: c.path(c.config.Root.Path), Recursive: true, Propagation: flags,
		})
	}
	for i, m := range c.config.Mounts {
		h, err := sortOptions(m.Options)
		if err != nil {
			return fmt.Errorf(".mounts[%d]: %s: %w", i, m.Destination, err)
		}
		isBind := h.bind || m.Type == "bind"
		if !mapped(m, h) && (!ahead || !isBind) {
			continue
		}
		tree := OpenTree{
			Tree: TreeSlot(i), Source: c.path(m.Source), Recursive: h.recursive,
			MapAll: h.mapAll, UIDs: m.UIDMappings, GIDs: m.GIDMappings, Propagation: flags,
		}
		if !mapped(m, h) {
			c.add(TitleUser, Runtime, tree.Tree, tree)
			continue
		}
		if len(tree.UIDs) == 0 { // the owners are as the container's users are
			tree.UIDs, tree.GIDs = c.config.Linux.UIDMappings, c.config.Linux.GIDMappings
		}
		switch {
		case !isBind:
			err = errors.New("only a bind mount can have ids mapped")
		case len(tree.UIDs) == 0 || len(tree.GIDs) == 0:
			err = errors.New("ids are to be mapped, and there are no maps of its own " +
				"and none of the container's")
		}
		if err != nil {
			return fmt.Errorf(".mounts[%d]: %s: %w", i, m.Destination, err)
		}
		c.add(TitleUser, Runtime, tree.Tree, tree)
	}
	return nil
}

// mapped reports whether the files of a mount change owners.
func mapped(m specs.Mount, h how) bool { return h.mapped || len(m.UIDMappings) > 0 }
