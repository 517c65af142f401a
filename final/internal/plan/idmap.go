package plan

import (
	"errors"
	"fmt"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// OpenTree opens a part of the host as a mount that has no place yet and whose files
// belong to others: what is user 0 on the disk is the user whom 0 stands for in the
// maps. The maps are those of a user namespace that is made for it and thrown away.
// Only who has rights over the file system may do so, which is not init.
type OpenTree struct {
	Tree      string                 `json:"tree"` // its slot
	Source    string                 `json:"source"`
	Recursive bool                   `json:"recursive,omitempty"` // with all mounted below it
	MapAll    bool                   `json:"mapAll,omitempty"`    // those are mapped, too
	UIDs      []specs.LinuxIDMapping `json:"uids"`
	GIDs      []specs.LinuxIDMapping `json:"gids"`
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
	ids := make([]string, 0, len(t.UIDs)+len(t.GIDs))
	for _, m := range t.UIDs {
		ids = append(ids, fmt.Sprintf("u:%d:%d:%d", m.ContainerID, m.HostID, m.Size))
	}
	for _, m := range t.GIDs {
		ids = append(ids, fmt.Sprintf("g:%d:%d:%d", m.ContainerID, m.HostID, m.Size))
	}
	return Words{
		Does: "open " + t.Source + " with other owners",
		Call: fmt.Sprintf("open_tree(%q, %s); clone3({flags=CLONE_NEWUSER}); "+
			"mount_setattr(%s, {set=MOUNT_ATTR_IDMAP, userns_fd})", t.Source, clone, set),
		Shell: fmt.Sprintf("mount --%s -o X-mount.idmap=%q %s …",
			mount, strings.Join(ids, " "), t.Source),
		Man: "mount_setattr(2)",
	}
}

// TreeSlot is where the tree of a mount is found by its number among the mounts.
func TreeSlot(i int) string { return fmt.Sprintf("fd:tree%d", i) }

// openTrees compiles what is opened for the mounts whose files change owners: init gets
// them as it is born.
func (c *compiler) openTrees() error {
	for i, m := range c.config.Mounts {
		h, err := sortOptions(m.Options)
		if err != nil {
			return fmt.Errorf(".mounts[%d]: %s: %w", i, m.Destination, err)
		}
		if !mapped(m, h) {
			continue
		}
		tree := OpenTree{
			Tree: TreeSlot(i), Source: c.path(m.Source), Recursive: h.recursive,
			MapAll: h.mapAll, UIDs: m.UIDMappings, GIDs: m.GIDMappings,
		}
		if len(tree.UIDs) == 0 { // the owners are as the container's users are
			tree.UIDs, tree.GIDs = c.config.Linux.UIDMappings, c.config.Linux.GIDMappings
		}
		switch {
		case !h.bind && m.Type != "bind":
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
