//go:build linux

package nsview

import (
	"cmp"
	"os"
	"slices"
	"strconv"
	"strings"

	"lab/internal/inspect"
)

// Namespace is one namespace and who is in it.
type Namespace struct {
	Kind  string
	Inode uint64
	// PIDs are the processes in it. It is empty for one that only another
	// namespace or a file holds.
	PIDs []int
	// HeldBy are the files at which it is mounted, as ip-netns(8) does.
	HeldBy []string
	// Owner is the user namespace that it belongs to, and Parent, for the kinds
	// pid and user, the one around it; 0 where that is outside of the caller's.
	Owner, Parent uint64
	// Maker is the user who made a user namespace; -1 if that is not known.
	Maker int
}

// key tells a namespace from all others. Inode numbers alone would do, too: all
// are in one file system.
type key struct {
	kind  string
	inode uint64
}

// find returns the entry of a namespace, a new one if need be.
func (s *Survey) find(index map[key]int, kind string, inode uint64) *Namespace {
	k := key{kind, inode}
	i, known := index[k]
	if !known {
		i = len(s.Namespaces)
		index[k] = i
		s.Namespaces = append(s.Namespaces, Namespace{Kind: kind, Inode: inode, Maker: -1})
	}
	return &s.Namespaces[i]
}

// index finds namespaces in the list.
func (s *Survey) index() map[key]int {
	index := map[key]int{}
	for i, n := range s.Namespaces {
		index[key{n.Kind, n.Inode}] = i
	}
	return index
}

// hold adds the namespaces that are mounted on a file. /proc/self/mountinfo
// tells kind and inode as the root of the mount:
//
//	167 50 0:4 net:[4026532692] /run/netns/web rw shared:2 - nsfs nsfs rw
func (s *Survey) hold() {
	mounts, err := inspect.Mounts(s.You.PID)
	if err != nil {
		return // without /proc there would be no survey either
	}
	index := s.index()
	for _, m := range mounts {
		if m.FSType != "nsfs" {
			continue
		}
		kind, rest, _ := strings.Cut(m.Root, ":[")
		inode, err := strconv.ParseUint(strings.TrimSuffix(rest, "]"), 10, 64)
		if err != nil || !slices.Contains(inspect.Types, kind) {
			continue
		}
		n := s.find(index, kind, inode)
		n.HeldBy = append(n.HeldBy, m.Mountpoint)
	}
}

// relate groups the processes by namespace and asks each namespace for the ones
// around it.
func (s *Survey) relate() {
	index := s.index()
	for _, p := range s.Processes {
		for _, kind := range s.Kinds {
			if inode := p.In[kind]; inode != 0 {
				n := s.find(index, kind, inode)
				n.PIDs = append(n.PIDs, p.PID)
			}
		}
	}
	// The list grows by the ones around: only namespaces that were there before
	// have a name by which they can be opened.
	for i := range len(s.Namespaces) {
		s.ask(index, i)
	}
	slices.SortFunc(s.Namespaces, func(a, b Namespace) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.first(), b.first()),
			cmp.Compare(a.Inode, b.Inode))
	})
}

// first returns the lowest pid, or a very high one where there is no process.
func (n Namespace) first() int {
	if len(n.PIDs) == 0 {
		return 1 << 30
	}
	return n.PIDs[0]
}

// ask asks one namespace for its relations. A process that has ended meanwhile
// leaves them unknown.
func (s *Survey) ask(index map[key]int, i int) {
	n := s.Namespaces[i]
	file, err := n.open()
	if err != nil {
		return
	}
	defer file.Close()
	if n.Kind == "user" {
		s.askUser(index, i, file)
		return
	}
	if owner, err := file.Owner(); err == nil {
		s.Namespaces[i].Owner = owner.Inode
		s.around(index, owner)
	}
	if n.Kind != "pid" {
		return
	}
	if parent, err := file.Parent(); err == nil {
		s.Namespaces[i].Parent = parent.Inode
		s.around(index, parent)
	}
}

// open opens a namespace by its first process or its file.
func (n Namespace) open() (*inspect.NSFile, error) {
	if len(n.PIDs) > 0 {
		return inspect.OpenNamespace(n.PIDs[0], n.Kind)
	}
	if len(n.HeldBy) > 0 {
		return inspect.OpenNamespaceFile(n.HeldBy[0], n.Kind)
	}
	return nil, os.ErrNotExist
}

// askUser asks a user namespace for its maker and its parent, who is its owner.
func (s *Survey) askUser(index map[key]int, i int, file *inspect.NSFile) {
	if maker, err := file.Maker(); err == nil {
		s.Namespaces[i].Maker = maker
	}
	parent, err := file.Parent()
	if err != nil {
		return
	}
	s.Namespaces[i].Owner, s.Namespaces[i].Parent = parent.Inode, parent.Inode
	s.around(index, parent)
}

// around notes a namespace that was reached from another one, and goes on
// outwards from it if it has no process by which it is asked anyway.
func (s *Survey) around(index map[key]int, file *inspect.NSFile) {
	defer file.Close()
	if _, known := index[key{file.Kind, file.Inode}]; known {
		return
	}
	s.find(index, file.Kind, file.Inode)
	i := index[key{file.Kind, file.Inode}]
	if file.Kind == "user" {
		s.askUser(index, i, file)
		return
	}
	if parent, err := file.Parent(); err == nil {
		s.Namespaces[i].Parent = parent.Inode
		s.around(index, parent)
	}
	if owner, err := file.Owner(); err == nil {
		s.Namespaces[i].Owner = owner.Inode
		s.around(index, owner)
	}
}

// of returns the namespaces of one kind.
func (s *Survey) of(kind string) []Namespace {
	var list []Namespace
	for _, n := range s.Namespaces {
		if n.Kind == kind {
			list = append(list, n)
		}
	}
	return list
}
