package plan

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// option is what one word of a mount's options means to the kernel.
type option struct {
	name  string
	flag  uintptr // of mount(2)
	attr  uint64  // of mount_setattr(2)
	clear bool    // the word takes the flag away
}

// options are the words that are flags. What is none of them is data, which the
// file system itself reads. Each has a recursive form for binds: ro and rro. See
// mount(8), FILESYSTEM-INDEPENDENT MOUNT OPTIONS.
func options() []option {
	return []option{
		{"ro", unix.MS_RDONLY, unix.MOUNT_ATTR_RDONLY, false},
		{"rw", unix.MS_RDONLY, unix.MOUNT_ATTR_RDONLY, true},
		{"nosuid", unix.MS_NOSUID, unix.MOUNT_ATTR_NOSUID, false},
		{"suid", unix.MS_NOSUID, unix.MOUNT_ATTR_NOSUID, true},
		{"nodev", unix.MS_NODEV, unix.MOUNT_ATTR_NODEV, false},
		{"dev", unix.MS_NODEV, unix.MOUNT_ATTR_NODEV, true},
		{"noexec", unix.MS_NOEXEC, unix.MOUNT_ATTR_NOEXEC, false},
		{"exec", unix.MS_NOEXEC, unix.MOUNT_ATTR_NOEXEC, true},
		{"noatime", unix.MS_NOATIME, unix.MOUNT_ATTR_NOATIME, false},
		{"atime", unix.MS_NOATIME, unix.MOUNT_ATTR_NOATIME, true},
		{"relatime", unix.MS_RELATIME, unix.MOUNT_ATTR_RELATIME, false},
		{"norelatime", unix.MS_RELATIME, unix.MOUNT_ATTR_RELATIME, true},
		{"strictatime", unix.MS_STRICTATIME, unix.MOUNT_ATTR_STRICTATIME, false},
		{"nostrictatime", unix.MS_STRICTATIME, unix.MOUNT_ATTR_STRICTATIME, true},
		{"nodiratime", unix.MS_NODIRATIME, unix.MOUNT_ATTR_NODIRATIME, false},
		{"diratime", unix.MS_NODIRATIME, unix.MOUNT_ATTR_NODIRATIME, true},
		{"nosymfollow", unix.MS_NOSYMFOLLOW, unix.MOUNT_ATTR_NOSYMFOLLOW, false},
		{"symfollow", unix.MS_NOSYMFOLLOW, unix.MOUNT_ATTR_NOSYMFOLLOW, true},
		{"sync", unix.MS_SYNCHRONOUS, 0, false},
		{"async", unix.MS_SYNCHRONOUS, 0, true},
		{"dirsync", unix.MS_DIRSYNC, 0, false},
		{"mand", unix.MS_MANDLOCK, 0, false},
		{"nomand", unix.MS_MANDLOCK, 0, true},
		{"lazytime", unix.MS_LAZYTIME, 0, false},
		{"nolazytime", unix.MS_LAZYTIME, 0, true},
		{"silent", unix.MS_SILENT, 0, false},
		{"loud", unix.MS_SILENT, 0, true},
		{"iversion", unix.MS_I_VERSION, 0, false},
		{"noiversion", unix.MS_I_VERSION, 0, true},
	}
}

// propagation returns the flags of mount(2) for a word such as rslave, or 0.
// See mount_namespaces(7).
func propagation(word string) uintptr {
	flags := map[string]uintptr{
		"private": unix.MS_PRIVATE, "slave": unix.MS_SLAVE,
		"shared": unix.MS_SHARED, "unbindable": unix.MS_UNBINDABLE,
	}
	if f := flags[word]; f != 0 {
		return f
	}
	if all, ok := strings.CutPrefix(word, "r"); ok && flags[all] != 0 {
		return flags[all] | unix.MS_REC
	}
	return 0
}

// Attrs are what mount_setattr(2) sets and clears on one mount, or on a tree.
type Attrs struct {
	Set   uint64 `json:"set,omitempty"`
	Clear uint64 `json:"clear,omitempty"`
}

// add notes one option.
func (a *Attrs) add(o option) {
	const times = unix.MOUNT_ATTR__ATIME
	switch {
	case o.attr&times != 0 || o.name == "relatime" || o.name == "norelatime":
		// The three ways to keep times are one number, not three bits: it is
		// cleared as a whole.
		a.Clear |= times
		a.Set &^= times
		if !o.clear {
			a.Set |= o.attr
		}
	case o.clear:
		a.Set &^= o.attr
		a.Clear |= o.attr
	default:
		a.Set |= o.attr
		a.Clear &^= o.attr
	}
}

// how is a mount's options, sorted by who reads them.
type how struct {
	flags       uintptr // mount(2)
	attrs       Attrs   // mount_setattr(2) on the mount alone
	tree        Attrs   // mount_setattr(2) on all below it, too
	propagation uintptr
	data        []string // the file system itself
	bind        bool
	recursive   bool
	copyUp      bool
	mapped      bool // its files have other owners
	mapAll      bool // and those of all mounts below
}

// sortOptions sorts a mount's options.
func sortOptions(words []string) (how, error) {
	var h how
	for _, word := range words {
		switch {
		case word == "defaults" || word == "" || word == "_netdev":
		case word == "bind":
			h.bind = true
		case word == "rbind":
			h.bind, h.recursive = true, true
		case word == "tmpcopyup":
			h.copyUp = true
		case word == "remount":
			return h, fmt.Errorf("option %q: there is nothing mounted yet", word)
		case word == "idmap" || word == "ridmap":
			h.mapped, h.mapAll = true, word == "ridmap"
		case propagation(word) != 0:
			h.propagation = propagation(word)
		case !h.flag(word):
			h.data = append(h.data, word)
		}
	}
	return h, nil
}

// flag notes a word that is a flag, and reports whether it was one.
func (h *how) flag(word string) bool {
	for _, o := range options() {
		if word == o.name && o.clear {
			h.flags &^= o.flag
			h.attrs.add(o)
			return true
		}
		if word == o.name {
			h.flags |= o.flag
			h.attrs.add(o)
			return true
		}
		if word == "r"+o.name && o.attrKnown() {
			h.tree.add(o)
			return true
		}
	}
	return false
}

// attrKnown reports whether mount_setattr(2) knows the option, and so all mounts of
// a tree can have it.
func (o option) attrKnown() bool { return o.attr != 0 || strings.HasSuffix(o.name, "relatime") }

// MountOptions returns the options that are understood, for `features`.
func MountOptions() []string {
	words := []string{"bind", "rbind", "defaults", "tmpcopyup", "idmap", "ridmap"}
	for _, o := range options() {
		words = append(words, o.name)
		if o.attrKnown() {
			words = append(words, "r"+o.name)
		}
	}
	for _, kind := range []string{"private", "slave", "shared", "unbindable"} {
		words = append(words, kind, "r"+kind)
	}
	return words
}

// flagText is the flags of mount(2) as a program would write them.
func flagText(flags uintptr) string {
	names := []struct {
		flag uintptr
		name string
	}{
		{unix.MS_RDONLY, "MS_RDONLY"},
		{unix.MS_NOSUID, "MS_NOSUID"},
		{unix.MS_NODEV, "MS_NODEV"},
		{unix.MS_NOEXEC, "MS_NOEXEC"},
		{unix.MS_SYNCHRONOUS, "MS_SYNCHRONOUS"},
		{unix.MS_REMOUNT, "MS_REMOUNT"},
		{unix.MS_MANDLOCK, "MS_MANDLOCK"},
		{unix.MS_DIRSYNC, "MS_DIRSYNC"},
		{unix.MS_NOSYMFOLLOW, "MS_NOSYMFOLLOW"},
		{unix.MS_NOATIME, "MS_NOATIME"},
		{unix.MS_NODIRATIME, "MS_NODIRATIME"},
		{unix.MS_BIND, "MS_BIND"},
		{unix.MS_MOVE, "MS_MOVE"},
		{unix.MS_REC, "MS_REC"},
		{unix.MS_SILENT, "MS_SILENT"},
		{unix.MS_UNBINDABLE, "MS_UNBINDABLE"},
		{unix.MS_PRIVATE, "MS_PRIVATE"},
		{unix.MS_SLAVE, "MS_SLAVE"},
		{unix.MS_SHARED, "MS_SHARED"},
		{unix.MS_RELATIME, "MS_RELATIME"},
		{unix.MS_I_VERSION, "MS_I_VERSION"},
		{unix.MS_STRICTATIME, "MS_STRICTATIME"},
		{unix.MS_LAZYTIME, "MS_LAZYTIME"},
	}
	var set []string
	for _, n := range names {
		if flags&n.flag != 0 {
			set = append(set, n.name)
		}
	}
	if len(set) == 0 {
		return "0"
	}
	return or(set)
}

// attrText is the attributes of mount_setattr(2) as a program would write them.
func attrText(attrs uint64) string {
	var set []string
	for _, o := range options() {
		times := o.attr&unix.MOUNT_ATTR__ATIME != 0
		same := attrs&unix.MOUNT_ATTR__ATIME == o.attr
		if !o.clear && o.attr != 0 && (!times && attrs&o.attr != 0 || times && same) {
			set = append(set, "MOUNT_ATTR_"+strings.ToUpper(o.name))
		}
	}
	if attrs&unix.MOUNT_ATTR__ATIME == unix.MOUNT_ATTR__ATIME {
		set = append(set, "MOUNT_ATTR__ATIME")
	}
	return or(set)
}

// words are a mount's flags as mount(8) takes them.
func words(flags uintptr) []string {
	var all []string
	for _, o := range options() {
		if !o.clear && flags&o.flag != 0 {
			all = append(all, o.name)
		}
	}
	return all
}
