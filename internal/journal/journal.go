// Package journal tells whether the host is as it was. A snapshot lists what
// a container run may leave behind, read from the kernel and never from a
// program's own word; two of them compared say what was added, removed or
// changed:
//
//	before, err := journal.Take()
//	…
//	left := journal.Settle(ctx, before)
//
// Only that things exist is compared, and the few settings that a step
// touches; counters are not. What belongs to others on a busy machine
// is left out where it can be told apart: processes count if they descend from this one (Adopt
// makes that hold for orphans, too), cgroups if they do not carry the names
// that systemd and container engines give. Where it cannot (a mount or link
// made by somebody else in the meantime) it is reported.
package journal

import (
	"cmp"
	"fmt"
	"slices"
)

// Kind is a kind of kernel state.
type Kind string

// The kinds. Routes and named network namespaces count among the links,
// sysctls among the settings. Files are compared in the directories that a
// Scope names.
const (
	Mounts    Kind = "mounts"
	Links     Kind = "links"
	Rules     Kind = "rules"
	Cgroups   Kind = "cgroups"
	Processes Kind = "processes"
	Settings  Kind = "settings"
	Files     Kind = "files"
)

// Kinds are the kinds of things that a run could leave, in the order in which
// they are told. Settings and files are compared, too.
func Kinds() []Kind { return []Kind{Mounts, Links, Rules, Cgroups, Processes} }

// Scope says what a snapshot covers.
type Scope struct {
	// Whole includes every process of the pid namespace and every cgroup, as
	// in a throw-away host that nobody else uses.
	Whole bool `json:"whole,omitempty"`
	// Without leaves kinds out.
	Without []Kind `json:"without,omitempty"`
	// Files are directories of which every file is listed.
	Files []string `json:"files,omitempty"`
}

// Entry is one thing that exists.
type Entry struct {
	Kind  Kind   `json:"kind"`
	ID    string `json:"id"`    // tells it from all others of its kind
	What  string `json:"what"`  // for people
	State string `json:"state"` // what may change about it, for people
}

// Snapshot is what existed at one moment.
type Snapshot struct {
	Scope   Scope   `json:"scope"`
	Entries []Entry `json:"entries"`
	// Unreadable tells which kinds this user may not see in full, and why.
	Unreadable map[Kind]string `json:"unreadable,omitempty"`
}

// Difference is one thing that is no longer as it was.
type Difference struct {
	Kind   Kind   `json:"kind"`
	What   string `json:"what"`
	Change string `json:"change"` // "added", "removed" or "changed from … to …"
}

// String returns the difference as a line: `mounts: tmpfs on /x: added`.
func (d Difference) String() string { return fmt.Sprintf("%s: %s: %s", d.Kind, d.What, d.Change) }

// Compared are the kinds that were read, and in full.
func (s Snapshot) Compared() []Kind {
	return slices.DeleteFunc(Kinds(), func(k Kind) bool {
		return s.Unreadable[k] != "" || slices.Contains(s.Scope.Without, k)
	})
}

// Diff returns how after differs from this snapshot, by kind.
func (s Snapshot) Diff(after Snapshot) []Difference {
	old, present := s.index(), after.index()
	var found []Difference
	for _, e := range s.Entries {
		now, still := present[e.key()]
		switch {
		case !still:
			found = append(found, Difference{e.Kind, e.What, "removed"})
		case now.State != e.State:
			change := fmt.Sprintf("changed from %q to %q", e.State, now.State)
			found = append(found, Difference{e.Kind, e.What, change})
		}
	}
	for _, e := range after.Entries {
		if _, known := old[e.key()]; !known {
			found = append(found, Difference{e.Kind, e.What, "added"})
		}
	}
	slices.SortStableFunc(found, func(a, b Difference) int { return cmp.Compare(a.Kind, b.Kind) })
	return found
}

// entryKey is what makes two entries of two snapshots the same thing.
type entryKey struct {
	kind Kind
	id   string
}

func (e Entry) key() entryKey { return entryKey{e.Kind, e.ID} }

func (s Snapshot) index() map[entryKey]Entry {
	index := make(map[entryKey]Entry, len(s.Entries))
	for _, e := range s.Entries {
		index[e.key()] = e
	}
	return index
}
