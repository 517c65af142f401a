//go:build linux

package layers

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// State says what a layer does to a name.
type State string

// The states.
const (
	Plain      State = "plain"      // only this layer has it
	New        State = "new"        // only the upper layer has it
	CopiedUp   State = "copied up"  // a lower layer's file, copied when it was changed
	Replaced   State = "replaced"   // it hides a lower layer's file; a copy or another one
	Whiteout   State = "whiteout"   // removed: hides what lies below
	Opaque     State = "opaque"     // a directory that hides all that lies below
	Attributes State = "attributes" // a directory whose mode or owner was changed
	Merged     State = "merged"     // a directory that shows what several layers have
)

// Entry is a name in the overlay and the layer that decides about it.
type Entry struct {
	Path     string // from the overlay's root: /etc/hosts
	Dir      bool
	Size     int64
	Layer    int // index of the layer that it comes from; -1 if it is not known
	State    State
	Hides    []int  // layers below that have the name as well and are not seen
	Redirect string // the name by which it is looked for below
	MetaCopy bool   // only its attributes were copied; the content is a lower one's
}

// place is a directory of one layer.
type place struct {
	layer int
	path  string // in the layer, as in Entry
}

// union goes through all layers as the kernel does when a name is looked up.
type union struct {
	*Stack

	seen map[string]bool // layer and path of what can be seen from above
}

// read fills in the entries and the sizes.
func (s *Stack) read() {
	u := &union{Stack: s, seen: map[string]bool{}}
	var roots []place
	for i := range s.Layers {
		l := &s.Layers[i]
		// Engines give layers short names that are links. What lies below /proc is a
		// link of another kind: its text is not where it leads.
		if dir, err := filepath.EvalSymlinks(l.Dir); err == nil && l.Dir != "" &&
			!strings.HasPrefix(l.Dir, "/proc/") {
			l.Dir = dir
		}
		if l.Dir != "" && !l.Data {
			roots = append(roots, place{i, "/"})
		}
	}
	u.merge("/", roots)
	u.unreached()
	slices.SortFunc(s.Entries, func(a, b Entry) int { return strings.Compare(a.Path, b.Path) })
	for i := range s.Layers {
		u.measure(i)
	}
	s.remark()
}

// real returns the name by which the reader finds a file of a layer.
func (s *Stack) real(p place) string { return filepath.Join(s.Layers[p.layer].Dir, p.path) }

// merge looks at all names in one directory of the overlay, which the given
// directories make up, the topmost first.
func (u *union) merge(dir string, places []place) {
	var names []string
	for _, p := range places {
		entries, err := os.ReadDir(u.real(p))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			u.Layers[p.layer].Why = "not read whole: " + err.Error()
		}
		for _, e := range entries {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if !u.covered[path.Join(dir, name)] {
			u.look(path.Join(dir, name), name, places)
		}
	}
}

// look decides about one name: the topmost layer that has it does.
func (u *union) look(full, name string, places []place) {
	for i, p := range places {
		at := place{p.layer, path.Join(p.path, name)}
		var st unix.Stat_t
		if unix.Lstat(u.real(at), &st) != nil {
			continue
		}
		e := Entry{
			Path: full, Layer: p.layer, Size: st.Size, Dir: st.Mode&unix.S_IFMT == unix.S_IFDIR,
			Redirect: u.attribute(at, "redirect"), MetaCopy: u.hasAttribute(at, "metacopy"),
		}
		below := u.below(e, p.layer, name, places[i+1:])
		switch {
		case u.isWhiteout(at, st):
			e.State, e.Size, e.Hides = Whiteout, 0, layersOf(below)
		case e.Dir:
			u.directory(e, at, st, below)
			return
		default:
			u.seen[u.real(at)] = true
			if e.MetaCopy && len(below) > 0 {
				u.seen[u.real(below[0])] = true
			}
			e.State, e.Hides = u.fileState(e, at, below), layersOf(below)
		}
		u.Entries = append(u.Entries, e)
		return
	}
}

// below returns the places under one layer that have the name, too. Those under a
// whiteout or a file of an upper one are of no use to anybody, but they are there.
func (u *union) below(e Entry, layer int, name string, rest []place) []place {
	var found []place
	if strings.HasPrefix(e.Redirect, "/") {
		// A redirect from the root leaves the directories beside it.
		rest = nil
		for i := layer + 1; i < len(u.Layers); i++ {
			rest = append(rest, place{i, path.Dir(e.Redirect)})
		}
	}
	if e.Redirect != "" {
		name = path.Base(e.Redirect)
	}
	for _, p := range rest {
		at := place{p.layer, path.Join(p.path, name)}
		var st unix.Stat_t
		if u.Layers[p.layer].Dir != "" && unix.Lstat(u.real(at), &st) == nil &&
			!u.isWhiteout(at, st) {
			found = append(found, at)
		}
	}
	return found
}

// layersOf returns the layers of some places.
func layersOf(places []place) []int {
	var list []int
	for _, p := range places {
		list = append(list, p.layer)
	}
	return list
}

// directory goes on inside a directory: with those of the same name in the layers
// below, down to the first that is opaque, or no directory, or removed.
func (u *union) directory(e Entry, at place, st unix.Stat_t, below []place) {
	open := []place{at}
	if u.attribute(at, "opaque") == "y" {
		e.State, e.Hides = Opaque, layersOf(below)
		below = nil
	}
	for _, p := range below {
		if u.endsBetween(open[len(open)-1].layer, p) {
			break
		}
		var lower unix.Stat_t
		if unix.Lstat(u.real(p), &lower) != nil || lower.Mode&unix.S_IFMT != unix.S_IFDIR {
			break
		}
		if len(open) == 1 && (lower.Mode != st.Mode || lower.Uid != st.Uid || lower.Gid != st.Gid) {
			e.State = Attributes
		}
		open = append(open, p)
		if u.attribute(p, "opaque") == "y" {
			break
		}
	}
	if e.State == "" {
		e.State = u.plain(e.Layer, len(open) > 1)
	}
	e.Size = 0
	u.Entries = append(u.Entries, e)
	u.merge(e.Path, open)
}

// endsBetween reports whether a layer between two says that nothing of a name
// lies below it any more.
func (u *union) endsBetween(from int, to place) bool {
	for i := from + 1; i < to.layer; i++ {
		at := place{i, to.path}
		var st unix.Stat_t
		if u.Layers[i].Dir != "" && unix.Lstat(u.real(at), &st) == nil &&
			st.Mode&unix.S_IFMT != unix.S_IFDIR {
			return true
		}
	}
	return false
}

// plain is the state of what is in no way special.
func (u *union) plain(layer int, merged bool) State {
	switch {
	case merged:
		return Merged
	case u.Layers[layer].Upper:
		return New
	}
	return Plain
}

// fileState tells a copy from a file of its own. The kernel marks what it copies
// up with where it comes from.
func (u *union) fileState(e Entry, at place, below []place) State {
	switch {
	case len(below) == 0 && e.MetaCopy, u.Layers[e.Layer].Upper && u.hasAttribute(at, "origin"):
		return CopiedUp
	case len(below) == 0:
		return u.plain(e.Layer, false)
	}
	return Replaced
}

// isWhiteout knows both kinds: the device, and the empty file with an attribute
// that stands for it where devices cannot be made.
func (u *union) isWhiteout(at place, st unix.Stat_t) bool {
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFCHR:
		return st.Rdev == 0
	case unix.S_IFREG:
		return st.Size == 0 && u.hasAttribute(at, "whiteout")
	}
	return false
}

// attribute returns one of the overlay's attributes of a file, "" if it has none.
func (u *union) attribute(at place, name string) string {
	value := make([]byte, unix.PathMax)
	for _, prefix := range u.attributes {
		if n, err := unix.Lgetxattr(u.real(at), prefix+name, value); err == nil {
			return string(value[:n])
		}
	}
	return ""
}

// hasAttribute reports whether an attribute is there, be it empty.
func (u *union) hasAttribute(at place, name string) bool {
	for _, prefix := range u.attributes {
		if _, err := unix.Lgetxattr(u.real(at), prefix+name, nil); err == nil {
			return true
		}
	}
	return false
}
