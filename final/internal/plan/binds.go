package plan

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// Bind shows a file or directory of the host at a place in the root. The mount is
// made without a place first, gets its attributes, and then its place: it is never
// seen with fewer restrictions than it shall have.
type Bind struct {
	Source      string  `json:"source"`
	Target      string  `json:"target"`
	Recursive   bool    `json:"recursive,omitempty"`
	Attrs       Attrs   `json:"attrs"`
	Tree        Attrs   `json:"tree"` // also of all mounts below
	Propagation uintptr `json:"propagation,omitempty"`
	From        string  `json:"from,omitempty"` // the slot of a tree that is open already
}

// Words tell about it.
func (b Bind) Words() Words {
	flags, shell := "OPEN_TREE_CLONE", "mount --bind"
	if b.Recursive {
		flags, shell = flags+"|AT_RECURSIVE", "mount --rbind"
	}
	calls := []string{fmt.Sprintf("open_tree(%q, %s)", b.Source, flags)}
	if b.From != "" {
		calls = nil
	}
	for _, set := range []struct {
		Attrs
		flag string
	}{{b.Attrs, "0"}, {b.Tree, "AT_RECURSIVE"}} {
		if set.Attrs != (Attrs{}) {
			calls = append(calls, fmt.Sprintf("mount_setattr(%s, {%s})", set.flag, set.text()))
		}
	}
	calls = append(calls, fmt.Sprintf("move_mount(%s\"ROOT%s\")", b.tree(), b.Target))
	opts := b.Attrs.words("")
	opts = append(opts, b.Tree.words("=recursive")...)
	if len(opts) > 0 {
		shell += " -o " + strings.Join(opts, ",")
	}
	if b.Propagation != 0 {
		shell += " --make-" + propagationWord(b.Propagation)
		calls = append(calls, fmt.Sprintf("mount_setattr({propagation=%s})",
			flagText(b.Propagation)))
	}
	return Words{
		Does:  fmt.Sprintf("bind %s to %s", b.Source, b.Target),
		Call:  strings.Join(calls, "; "),
		Shell: fmt.Sprintf("%s %s $ROOT%s", shell, b.Source, b.Target),
		Man:   "open_tree(2)",
	}
}

// tree is what is moved, where that was not opened just now.
func (b Bind) tree() string {
	if b.From == "" {
		return ""
	}
	return b.From + ", "
}

// text is what is set and cleared, as a program would write it.
func (a Attrs) text() string {
	var parts []string
	if a.Set != 0 {
		parts = append(parts, "set="+attrText(a.Set))
	}
	if a.Clear != 0 {
		parts = append(parts, "clr="+attrText(a.Clear))
	}
	return strings.Join(parts, ", ")
}

// words are the attributes as mount(8) takes them.
func (a Attrs) words(suffix string) []string {
	var all []string
	for _, o := range options() {
		if o.attr == 0 {
			continue
		}
		if !o.clear && a.Set&o.attr == o.attr || o.clear && a.Clear&^a.Set&o.attr == o.attr {
			all = append(all, o.name+suffix)
		}
	}
	return all
}

// BindHost is the way to have /dev/null or /sys where making a new one is refused: the
// host's own is shown.
type BindHost struct {
	Path     string `json:"path"` // on the host
	Target   string `json:"target"`
	Readonly bool   `json:"readonly,omitempty"` // with all mounts below it
}

// Words tell about it.
func (b BindHost) Words() Words {
	return Bind{
		Source: b.Path, Target: b.Target, Recursive: b.Readonly, Tree: b.tree(),
	}.Words()
}

// Bind is the bind that it comes to.
func (b BindHost) Bind() Bind {
	return Bind{Source: b.Path, Target: b.Target, Recursive: b.Readonly, Tree: b.tree()}
}

// tree is what is set on all of it.
func (b BindHost) tree() Attrs {
	var a Attrs
	if b.Readonly {
		a.add(option{name: "ro", attr: unix.MOUNT_ATTR_RDONLY})
	}
	return a
}

// Mask hides a path: /dev/null, the host's, over a file; an empty directory over
// a directory. A path that is not there needs no mask.
type Mask struct {
	Path string `json:"path"`
}

// Words tell about it.
func (m Mask) Words() Words {
	return Words{
		Does: "mask " + m.Path,
		Call: fmt.Sprintf("open_tree(\"/dev/null\", OPEN_TREE_CLONE); move_mount(\"ROOT%s\")  or  "+
			"mount(\"tmpfs\", \"ROOT%s\", \"tmpfs\", MS_RDONLY, NULL)", m.Path, m.Path),
		Shell: "mount --bind /dev/null $ROOT" + m.Path,
		Man:   "mount(2)",
	}
}

// Protect makes a path read-only, with all that is mounted below it. A path that is
// not there needs no protection.
type Protect struct {
	Path string `json:"path"`
}

// Words tell about it.
func (p Protect) Words() Words {
	return Words{
		Does: "make " + p.Path + " read-only",
		Call: fmt.Sprintf("open_tree(\"ROOT%s\", OPEN_TREE_CLONE|AT_RECURSIVE); "+
			"mount_setattr(AT_RECURSIVE, {set=MOUNT_ATTR_RDONLY}); move_mount(\"ROOT%s\")",
			p.Path, p.Path),
		Shell: fmt.Sprintf("mount --rbind -o ro=recursive $ROOT%s $ROOT%s", p.Path, p.Path),
		Man:   "mount_setattr(2)",
	}
}
