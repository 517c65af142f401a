//go:build linux

// Package layers explains an overlay: which directories it is stacked of, from
// which one each file comes, and by what marks the upper layers hide the lower:
//
//	whiteout   a character device 0:0 in the place of what was removed
//	opaque     an attribute of a directory that hides all below it
//	redirect   an attribute of a directory that was renamed: the old name
//	metacopy   an attribute of a file whose content is still the lower one's
//
// The stack comes from the options of a mount in /proc/PID/mountinfo, or is given
// as directories. See the kernel's Documentation/filesystems/overlayfs.rst.
package layers

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/moby/sys/mountinfo"

	"lab/internal/inspect"
)

// ErrNoOverlay means that there is no overlay where one was looked for.
var ErrNoOverlay = errors.New("no overlay")

// Layer is one directory of the stack.
type Layer struct {
	Name   string // U for the upper one, 1, 2 … for the lower ones
	Upper  bool
	Data   bool   // holds only contents that a metacopy above refers to
	Option string // as the mount's options have it
	Dir    string // where it is found; empty if nowhere
	How    string // how it was found, where the option alone does not say
	Why    string // why it was not found or not read whole

	Files       int
	Bytes       int64
	HiddenBytes int64 // of files that cannot be seen from above
}

// Stack is an overlay.
type Stack struct {
	PID      int    // whose mount it is; 0 where directories were given
	Mount    string // where it is mounted, as that process sees it
	ReadOnly bool
	Options  string
	Layers   []Layer // the topmost first
	Entries  []Entry
	Notes    []string

	attributes []string        // prefixes of the attributes that count
	merged     string          // where the reader sees the whole, empty if nowhere
	covered    map[string]bool // by other mounts
	guessed    bool            // a directory was found by what only looks like its name
}

// OfProcess explains the overlay that is a process's root, or else the first one
// that it sees.
func OfProcess(pid int) (*Stack, error) {
	mounts, err := inspect.Mounts(pid)
	if err != nil {
		return nil, inspect.Meanwhile(pid, err)
	}
	var found []*mountinfo.Info
	root := ""
	for _, m := range mounts {
		if m.Mountpoint == "/" {
			root = m.FSType
		}
		if m.FSType == "overlay" {
			found = append(found, m)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%w among its %d mounts: its root is %s",
			ErrNoOverlay, len(mounts), root)
	}
	chosen := found[0]
	for _, m := range found {
		if m.Mountpoint == "/" {
			chosen = m // the topmost is the last
		}
	}
	s := ofMount(pid, chosen, mounts)
	if len(found) > 1 {
		s.Notes = append(s.Notes, fmt.Sprintf(
			"The process sees %d overlays; this is the one on %s.", len(found), chosen.Mountpoint))
	}
	return s, nil
}

// OfDirectory explains the overlay that a directory of the caller is on.
func OfDirectory(dir string) (*Stack, error) {
	path, err := filepath.EvalSymlinks(dir)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return nil, err
	}
	self, err := inspect.Self()
	if err != nil {
		return nil, err
	}
	mounts, err := inspect.Mounts(self)
	if err != nil {
		return nil, err
	}
	var on *mountinfo.Info
	for _, m := range mounts { // of two at one place the later lies on top
		within := path == m.Mountpoint || m.Mountpoint == "/" ||
			strings.HasPrefix(path, m.Mountpoint+"/")
		if within && (on == nil || len(m.Mountpoint) >= len(on.Mountpoint)) {
			on = m
		}
	}
	if on == nil || on.FSType != "overlay" {
		kind := "unknown"
		if on != nil {
			kind = on.FSType
		}
		return nil, fmt.Errorf("%w: it is on a file system of type %s", ErrNoOverlay, kind)
	}
	return ofMount(self, on, mounts), nil
}

// OfDirectories explains what an overlay of these directories would show, the
// topmost first and writable.
func OfDirectories(dirs []string) (*Stack, error) {
	s := &Stack{attributes: []string{"trusted.overlay.", "user.overlay."}}
	for i, dir := range dirs {
		info, err := os.Stat(dir)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			return nil, fmt.Errorf("%s: not a directory", dir)
		}
		layer := Layer{Name: strconv.Itoa(i), Option: dir, Dir: dir, Upper: i == 0}
		if layer.Upper {
			layer.Name = "U"
		}
		s.Layers = append(s.Layers, layer)
	}
	s.read()
	return s, nil
}

// ofMount explains one mount.
func ofMount(pid int, m *mountinfo.Info, all []*mountinfo.Info) *Stack {
	s := &Stack{
		PID: pid, Mount: m.Mountpoint, Options: m.VFSOptions,
		merged:  fmt.Sprintf("/proc/%d/root%s", pid, strings.TrimSuffix(m.Mountpoint, "/")),
		covered: map[string]bool{},
	}
	o := parse(m.VFSOptions)
	s.ReadOnly = o.upper == "" || hasOption(m.Options, "ro")
	s.attributes = []string{"trusted.overlay."}
	if o.userxattr {
		s.attributes = []string{"user.overlay."}
	}
	s.Layers = o.layers()
	for _, other := range all {
		below, found := strings.CutPrefix(other.Mountpoint, strings.TrimSuffix(m.Mountpoint, "/"))
		if found && other.ID != m.ID && strings.HasPrefix(below, "/") && below != "/" {
			s.covered[below] = true
		}
	}
	s.find(o)
	s.read()
	return s
}

// hasOption looks for one word among mount options.
func hasOption(options, word string) bool {
	for option := range strings.SplitSeq(options, ",") {
		if option == word {
			return true
		}
	}
	return false
}
