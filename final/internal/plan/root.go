package plan

import (
	"fmt"
	"strings"

	"lab/final/internal/device"

	"golang.org/x/sys/unix"
)

// Propagate parts the mounts of init's mount namespace from those they are copies of.
type Propagate struct {
	Flags uintptr `json:"flags"`
	Late  bool    `json:"late,omitempty"` // on the container's root, once it is the root
}

// Words tell about it.
func (p Propagate) Words() Words {
	does := "part the mounts from the host's"
	if p.Late {
		does = "set the propagation of the root"
	}
	return Words{
		Does:  does,
		Call:  fmt.Sprintf("mount(NULL, \"/\", NULL, %s, NULL)", flagText(p.Flags)),
		Shell: fmt.Sprintf("mount --make-%s /", propagationWord(p.Flags)),
		Man:   "mount_namespaces(7)",
	}
}

// propagationWord is the word of mount(8) for flags.
func propagationWord(flags uintptr) string {
	for _, word := range []string{"private", "slave", "shared", "unbindable"} {
		switch flags {
		case propagation(word):
			return word
		case propagation("r" + word):
			return "r" + word
		}
	}
	return "private"
}

// BindRoot makes the root file system a mount of its own, for pivot_root(2) exchanges
// mounts, and opens it: every path in it is resolved from there.
type BindRoot struct {
	Path string `json:"path"`
	From string `json:"from,omitempty"` // the slot of a tree that is open already
}

// Words tell about it.
func (b BindRoot) Words() Words {
	if b.From != "" {
		return Words{
			Does: "make " + b.Path + " a mount",
			Call: fmt.Sprintf("move_mount(%s, %q)  or, if init cannot reach that,  "+
				"move_mount(%s, \"/\")", b.From, b.Path, b.From),
			Man: "open_tree(2)",
		}
	}
	return Words{
		Does: "make " + b.Path + " a mount",
		Call: fmt.Sprintf("mount(%q, %q, NULL, MS_BIND|MS_REC, NULL); open(%q, O_PATH)",
			b.Path, b.Path, b.Path),
		Shell: fmt.Sprintf("ROOT=%s; mount --rbind $ROOT $ROOT", b.Path),
		Man:   "mount(2)",
	}
}

// Mount mounts a file system at a place in the root. The place is made if it is not
// there, and resolved as if the root were / already.
type Mount struct {
	Type        string  `json:"type"`
	Source      string  `json:"source"`
	Target      string  `json:"target"`
	Flags       uintptr `json:"flags,omitempty"`
	Data        string  `json:"data,omitempty"`
	Propagation uintptr `json:"propagation,omitempty"`
	CopyUp      bool    `json:"copyUp,omitempty"` // begin with what was there before
}

// Words tell about it.
func (m Mount) Words() Words {
	data, opts := "NULL", words(m.Flags)
	if m.Data != "" {
		data, opts = fmt.Sprintf("%q", m.Data), append(opts, m.Data)
	}
	call := fmt.Sprintf("mount(%q, \"ROOT%s\", %q, %s, %s)",
		m.Source, m.Target, m.Type, flagText(m.Flags), data)
	shell := "mount -t " + m.Type
	if len(opts) > 0 {
		shell += " -o " + strings.Join(opts, ",")
	}
	if m.Propagation != 0 {
		call += fmt.Sprintf("; mount(NULL, \"ROOT%s\", NULL, %s, NULL)",
			m.Target, flagText(m.Propagation))
		shell += " --make-" + propagationWord(m.Propagation)
	}
	return Words{
		Does: fmt.Sprintf("mount %s on %s", m.Type, m.Target),
		Call: call, Shell: shell + " " + m.Source + " $ROOT" + m.Target, Man: "mount(2)",
	}
}

// MakeDir makes a directory in the root, if it is not there.
type MakeDir struct {
	Path string `json:"path"`
}

// Words tell about it.
func (m MakeDir) Words() Words {
	return Words{
		Does: "make the directory " + m.Path,
		Call: fmt.Sprintf("mkdirat(fd:root, %q, 0755)", m.Path), Shell: "mkdir -p $ROOT" + m.Path,
		Man: "mkdir(2)",
	}
}

// Node makes a device file in the root.
type Node struct {
	device.Node
}

// Words tell about it.
func (n Node) Words() Words {
	kind, letter := "S_IFCHR", "c"
	switch n.Mode & unix.S_IFMT {
	case unix.S_IFBLK:
		kind, letter = "S_IFBLK", "b"
	case unix.S_IFIFO:
		kind, letter = "S_IFIFO", "p"
	}
	return Words{
		Does: "make the device " + n.Path,
		Call: fmt.Sprintf("mknodat(fd:root, %q, %s|%#o, makedev(%d, %d))",
			n.Path, kind, n.Mode&0o7777, n.Major, n.Minor),
		Shell: fmt.Sprintf("mknod -m %o $ROOT%s %s %d %d",
			n.Mode&0o7777, n.Path, letter, n.Major, n.Minor),
		Man: "mknod(2)",
	}
}

// BindNode shows the host's device file where making one is refused: in a user
// namespace.
type BindNode struct {
	device.Node
}

// Words tell about it.
func (b BindNode) Words() Words {
	return Words{
		Does: "bind the host's device " + b.Path,
		Call: fmt.Sprintf("open_tree(%q, OPEN_TREE_CLONE); move_mount(\"ROOT%s\")",
			b.Path, b.Path),
		Shell: fmt.Sprintf("touch $ROOT%s && mount --bind %s $ROOT%s", b.Path, b.Path, b.Path),
		Man:   "open_tree(2)",
	}
}

// Link makes a symbolic link in the root, unless something has the name.
type Link struct {
	device.Link
}

// Words tell about it.
func (l Link) Words() Words {
	return Words{
		Does:  "make the link " + l.Path,
		Call:  fmt.Sprintf("symlinkat(%q, fd:root, %q)", l.Target, l.Path),
		Shell: fmt.Sprintf("ln -s %s $ROOT%s", l.Target, l.Path),
		Man:   "symlink(2)",
	}
}

// Console opens a terminal in the container's own devpts, sends its other end to
// the console socket, and makes it init's standard streams and /dev/console.
type Console struct {
	Rows uint16 `json:"rows,omitempty"`
	Cols uint16 `json:"cols,omitempty"`
	Dev  bool   `json:"dev,omitempty"` // make /dev/console
	UID  uint32 `json:"uid"`           // whose the terminal is
}

// Words tell about it.
func (Console) Words() Words {
	return Words{
		Does: "open a terminal",
		Call: `openat2(fd:root, "dev/ptmx"); ioctl(TIOCGPTPEER); ` +
			`sendmsg(fd:console, SCM_RIGHTS); ioctl(TIOCSCTTY)`,
		Shell: "script -c … /dev/null", Man: "pty(7)",
	}
}

// ReadonlyMount makes one mount read-only, and not those in it.
type ReadonlyMount struct {
	Target string `json:"target"`
}

// Words tell about it.
func (r ReadonlyMount) Words() Words {
	return Words{
		Does: fmt.Sprintf("make the mount %s read-only", r.Target),
		Call: fmt.Sprintf("mount_setattr(\"ROOT%s\", 0, {set=MOUNT_ATTR_RDONLY})",
			strings.TrimSuffix(r.Target, "/")),
		Shell: "mount -o remount,bind,ro $ROOT" + strings.TrimSuffix(r.Target, "/"),
		Man:   "mount_setattr(2)",
	}
}

// PivotRoot makes the root the root, and lets go of the old one.
type PivotRoot struct{}

// Words tell about it.
func (PivotRoot) Words() Words {
	return Words{
		Does: "pivot_root",
		Call: `fchdir(fd:root); pivot_root(".", "."); ` +
			`mount(NULL, ".", NULL, MS_REC|MS_SLAVE, NULL); umount2(".", MNT_DETACH); chdir("/")`,
		Shell: "cd $ROOT && pivot_root . . && umount -l .",
		Man:   "pivot_root(2)",
	}
}

// MoveRoot moves the root over the old one where pivot_root(2) cannot be done: on an
// initramfs. The old root stays mounted below, out of reach.
type MoveRoot struct{}

// Words tell about it.
func (MoveRoot) Words() Words {
	return Words{
		Does:  "move the root over the old one",
		Call:  `fchdir(fd:root); mount(".", "/", NULL, MS_MOVE, NULL); chroot("."); chdir("/")`,
		Shell: "cd $ROOT && mount --move . / && chroot .", Man: "mount(2)",
	}
}
