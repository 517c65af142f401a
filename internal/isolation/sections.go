//go:build linux

package isolation

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"lab/internal/inspect"
	"lab/internal/mountview"
	"lab/internal/nsview"
)

// namespaces compares the namespaces of all kinds.
func (r *reader) namespaces() {
	r.section = "namespaces"
	for _, kind := range inspect.Types {
		yours, err := inspect.Namespace(r.you, kind)
		if err != nil {
			continue // this kernel has none
		}
		inode, err := inspect.Namespace(r.pid, kind)
		if err != nil {
			r.unknown(kind, r.proc("ns/"+kind), err)
			if kind == "user" {
				r.ownUser = r.otherMap()
			}
			continue
		}
		own := inode != yours
		meaning := "your " + nsview.Meaning[kind]
		if own {
			meaning = "its own " + nsview.Meaning[kind] + r.inside(kind)
		}
		if kind == "user" {
			r.ownUser = own
		}
		r.add(kind, own, strconv.FormatUint(inode, 10), meaning, r.proc("ns/"+kind))
	}
}

// otherMap reports whether its ids are mapped in another way than the caller's:
// then its user namespace is another one.
func (r *reader) otherMap() bool {
	its, err := inspect.IDMap(r.pid, "uid")
	if err != nil {
		return false
	}
	yours, err := inspect.IDMap(r.you, "uid")
	return err == nil && !slices.Equal(its, yours)
}

// inside says what a namespace of its own looks like from inside, where that can
// be told in a word.
func (r *reader) inside(kind string) string {
	switch {
	case kind == "pid" && len(r.page.Levels) > 1:
		return fmt.Sprintf(": it is process %d there", r.page.Levels[len(r.page.Levels)-1])
	case kind == "uts":
		if name, err := inspect.Hostname(r.pid); err == nil {
			return fmt.Sprintf(": it is called %q there", name)
		}
	}
	return ""
}

// files compares mounts, root and working directory.
func (r *reader) files() {
	r.section = "files"
	mounts, err := mountview.Of(r.pid)
	if err != nil {
		r.unknown("mounts", r.proc("mountinfo"), err)
	} else {
		r.mounts(mounts)
	}
	r.root(mounts)
}

// mounts tells the mounts that the caller does not have.
func (r *reader) mounts(m *mountview.Mounts) {
	const most = 5
	if !m.Own {
		r.add("mounts", false, strconv.Itoa(len(m.List)), "the same list as yours",
			r.proc("mountinfo"))
		return
	}
	var differ []string
	for _, mount := range m.List {
		if mount.Verdict != mountview.Same {
			differ = append(differ, fmt.Sprintf("%s (%s)", mount.Mountpoint, mount.FSType))
		}
	}
	meaning := fmt.Sprintf("%d differ from yours", len(differ))
	if len(differ) > 0 {
		meaning += ": " + strings.Join(differ[:min(most, len(differ))], " ")
	}
	if len(differ) > most {
		meaning += fmt.Sprintf(" and more: lab mounts %d", r.pid)
	}
	r.add("mounts", true, strconv.Itoa(len(m.List)), meaning, r.proc("mountinfo"))
}

// root compares the root directories.
func (r *reader) root(mounts *mountview.Mounts) {
	name, err := os.Readlink(r.proc("root"))
	if err != nil {
		r.unknown("root", r.proc("root"), err)
		return
	}
	own, err := r.ownRoot()
	if err != nil {
		r.unknown("root", r.proc("root"), err)
		return
	}
	meaning := "the directory that you call /, too"
	if own {
		meaning = "another directory than your /"
	}
	if mounts != nil && own && name == "/" {
		if m, found := mounts.Root(); found {
			meaning = "not your /: " + m.What()
		}
	}
	r.add("root", own, name, meaning, r.proc("root"))
}

// ownRoot reports whether its root is another directory than the caller's. The
// same directory has the same number in the same file system.
func (r *reader) ownRoot() (bool, error) {
	var its, yours unix.Stat_t
	err := errors.Join(unix.Stat(r.proc("root"), &its), unix.Stat("/proc/self/root", &yours))
	return its.Dev != yours.Dev || its.Ino != yours.Ino, err
}

// users tells who it is and how its ids are mapped.
func (r *reader) users() {
	r.section = "users"
	s := r.status
	inside := map[string]string{}
	for _, kind := range []string{"uid", "gid"} {
		file := r.proc(kind + "_map")
		maps, err := inspect.IDMap(r.pid, kind)
		if err != nil {
			r.unknown(kind+" map", file, err)
			continue
		}
		outside := map[string]int{"uid": s.UID[1], "gid": s.GID[1]}[kind]
		inside[kind] = fmt.Sprintf("%s %s", kind, within(maps, outside))
		value, meaning := mapped(kind, maps)
		if !r.ownUser {
			meaning = "as in your user namespace"
		}
		r.add(kind+" map", r.ownUser, value, meaning, file)
	}
	meaning := "as you see it"
	if r.ownUser && len(inside) == 2 {
		meaning += "; inside it is " + inside["uid"] + " " + inside["gid"]
	}
	r.add("ids", r.ownUser, fmt.Sprintf("uid %d gid %d", s.UID[1], s.GID[1]), meaning,
		r.proc("status"))
}

// within returns the id inside a user namespace that is one outside.
func within(maps []inspect.Mapping, outside int) string {
	for _, m := range maps {
		if outside >= m.Outside && outside-m.Outside < m.Size {
			return strconv.Itoa(m.Inside + outside - m.Outside)
		}
	}
	return "none"
}

// mapped puts a map into words. The first namespace maps all ids to themselves.
func mapped(kind string, maps []inspect.Mapping) (value, meaning string) {
	const all, most = 4294967295, 3
	switch {
	case len(maps) == 0:
		return "empty", "no id has a name outside: all files belong to nobody"
	case len(maps) == 1 && maps[0] == inspect.Mapping{Size: all}:
		return "all", "every " + kind + " is itself"
	}
	var parts []string
	for _, m := range maps[:min(most, len(maps))] {
		part := fmt.Sprintf("%d=%d", m.Inside, m.Outside)
		if m.Size > 1 {
			last := m.Size - 1
			part = fmt.Sprintf("%d-%d=%d-%d", m.Inside, m.Inside+last, m.Outside, m.Outside+last)
		}
		parts = append(parts, part)
	}
	if len(maps) > most {
		parts = append(parts, fmt.Sprintf("and %d lines more", len(maps)-most))
	}
	return strings.Join(parts, " "),
		fmt.Sprintf("%s %d inside is %d outside", kind, maps[0].Inside, maps[0].Outside)
}

// capabilities puts the sets into words.
func (r *reader) capabilities() {
	r.section = "capabilities"
	last := inspect.LastCapability()
	over := "over the host"
	if r.ownUser {
		over = "over what its user namespace owns"
	}
	for _, set := range []struct {
		item, field, meaning string
		its, yours           uint64
	}{
		{"permitted", "CapPrm", "it may use these " + over, r.status.CapPrm, r.yours.CapPrm},
		{"effective", "CapEff", "they count now, " + over, r.status.CapEff, r.yours.CapEff},
		{
			"bounding", "CapBnd", "no execve(2) gives it others", r.status.CapBnd, r.yours.CapBnd,
		},
		{
			"ambient", "CapAmb", "programs it executes keep them", r.status.CapAmb, r.yours.CapAmb,
		},
	} {
		// Less than the caller could have is a restriction; more is none.
		lacks := set.its != set.yours && r.yours.CapBnd&^set.its != 0
		r.add(set.item, lacks || r.ownUser, Words(inspect.Capabilities(set.its), last), set.meaning,
			r.proc("status")+":"+set.field)
	}
}

// Words names a set of capabilities in as few words as can be.
func Words(set inspect.Capabilities, last int) string {
	all := inspect.All(last)
	names, missing := set.Names(), (all &^ set).Names()
	switch {
	case set == 0:
		return "none"
	case set == all:
		return fmt.Sprintf("all %d", last+1)
	case len(missing) < len(names):
		return fmt.Sprintf("%d: all but %s", len(names), strings.Join(missing, " "))
	}
	return fmt.Sprintf("%d: %s", len(names), strings.Join(names, " "))
}

// confinement tells the filters that lie over it.
func (r *reader) confinement() {
	r.section = "confinement"
	file := r.proc("status")
	switch r.status.Seccomp {
	case 0:
		r.add("seccomp", false, "off", "it may make every system call", file+":Seccomp")
	case 1:
		r.add("seccomp", true, "strict", "only read, write, exit and sigreturn", file+":Seccomp")
	default:
		value := "filters"
		switch n := r.status.Filters; {
		case n == 1:
			value = "1 filter"
		case n >= 0:
			value = fmt.Sprintf("%d filters", n)
		}
		r.add("seccomp", true, value, "a program decides about each system call", file+":Seccomp")
	}
	if r.status.NoNewPrivs {
		r.add("no_new_privs", true, "on", "setuid programs give it nothing", file+":NoNewPrivs")
	} else {
		r.add("no_new_privs", false, "off", "setuid programs work", file+":NoNewPrivs")
	}
	r.label()
}

// label tells the label that a security module gave it. Where there is none, or
// one without labels, reading the file is EINVAL.
func (r *reader) label() {
	file := r.proc("attr/current")
	text, err := os.ReadFile(file)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, os.ErrNotExist) {
		r.add("LSM label", false, "none", "no security module labels processes here", file)
		return
	}
	if err != nil {
		r.unknown("LSM label", file, err)
		return
	}
	label := strings.TrimRight(string(text), "\n\x00")
	yours, err := os.ReadFile("/proc/self/attr/current")
	own := err == nil && strings.TrimRight(string(yours), "\n\x00") != label
	meaning := "the same as yours"
	if own {
		meaning = "a security module's rules apply that do not apply to you"
	}
	r.add("LSM label", own, label, meaning, file)
}

// limits tells the resource limits: of open files always, others that are not the
// caller's.
func (r *reader) limits() {
	r.section = "limits"
	file := r.proc("limits")
	list, err := inspect.Limits(r.pid)
	if err != nil {
		r.unknown("limits", file, err)
		return
	}
	yours, err := inspect.Limits(r.you)
	if err != nil {
		r.unknown("limits", "/proc/self/limits", err)
		return
	}
	same := 0
	for _, l := range list {
		own := !slices.Contains(yours, l)
		if !own && l.Name != "open files" {
			same++
			continue
		}
		meaning := "as yours"
		if own {
			meaning = "yours is another"
		}
		if l.Name == "open files" {
			if entries, err := os.ReadDir(r.proc("fd")); err == nil {
				meaning += fmt.Sprintf("; %d are open", len(entries))
			}
		}
		r.add(l.Name, own, fmt.Sprintf("%s, hard %s", l.Soft, l.Hard), meaning, file)
	}
	r.add("others", false, strconv.Itoa(same), "as yours", file)
}
