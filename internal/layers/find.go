//go:build linux

package layers

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"lab/internal/inspect"
)

// find looks for the directories of the layers. The kernel holds them open and
// shows only the names that were given when the overlay was mounted: they were
// meant in the mount namespace, and relative to the working directory, of the
// process that did so.
func (s *Stack) find(o options) {
	for i := range s.Layers {
		l := &s.Layers[i]
		if filepath.IsAbs(l.Option) {
			s.findAbsolute(l)
		} else {
			s.findBelow(l, o)
		}
	}
	if slices.ContainsFunc(s.Layers, func(l Layer) bool { return l.Dir == "" }) {
		s.findByFlags()
	}
	for i := range s.Layers {
		if l := &s.Layers[i]; l.Dir == "" && l.Why == "" {
			l.Why = "a relative name: where from, only the process that mounted it knew"
		}
	}
}

// isDir reports whether a directory is there.
func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// findAbsolute looks where the caller is, and then at the process's own root: a
// runtime mounts before it changes the root, a program inside after.
func (s *Stack) findAbsolute(l *Layer) {
	inside := fmt.Sprintf("/proc/%d/root%s", s.PID, l.Option)
	switch {
	case isDir(l.Option):
		l.Dir = l.Option
	case isDir(inside):
		l.Dir, l.How = inside, "within the process's root"
	default:
		l.Why = "no directory of that name is in reach"
	}
}

// stores are where engines keep their layers and mount from.
var stores = []string{
	"/var/lib/docker/overlay2", "/var/lib/containers/storage/overlay",
	"/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots",
}

// findBelow looks for a relative name below the directories around an absolute
// upper or work directory, and below the stores of engines.
func (s *Stack) findBelow(l *Layer, o options) {
	var bases []string
	for _, path := range []string{o.upper, o.work} {
		for filepath.IsAbs(path) && path != "/" {
			path = filepath.Dir(path)
			bases = append(bases, path)
		}
	}
	bases = append(bases, s.storesOfMonitors()...)
	if home, err := os.UserHomeDir(); err == nil {
		bases = append(bases, filepath.Join(home, ".local/share/containers/storage/overlay"))
	}
	// A short name, such as 1 or upper, may be anywhere by chance.
	if !strings.Contains(l.Option, "/") {
		return
	}
	for _, base := range append(bases, stores...) {
		if path := filepath.Join(base, l.Option); isDir(path) {
			l.Dir, l.How = path, "relative to "+base
			return
		}
	}
}

// storesOfMonitors returns the stores that podman's monitors name, the ancestors of
// the processes in its containers. Each has the directory of its container among its
// arguments, and the layers are beside those directories:
//
//	conmon … -b /srv/store/overlay-containers/ID/userdata …
func (s *Stack) storesOfMonitors() []string {
	var stores []string
	for pid := s.PID; pid > 0; {
		args, err := inspect.Cmdline(pid)
		if err != nil {
			break
		}
		for _, arg := range args {
			store, _, found := strings.Cut(arg, "/overlay-containers/")
			if path := store + "/overlay"; found && !slices.Contains(stores, path) {
				stores = append(stores, path)
			}
		}
		p, err := inspect.ReadProcess(pid)
		if err != nil {
			break
		}
		pid = p.PPid
	}
	return stores
}

// findByFlags takes the names from the command line by which a step of the lab,
// or a program like it, was started: it is an ancestor of the process.
//
//	06-unionfs run -lower /top:/base -upper /changes sh
//
// The lowest layers of the overlay are those of -lower; the program puts one of
// its own on top of them. Of several such ancestors the topmost is the one that
// was started where the names mean something.
func (s *Stack) findByFlags() {
	var named int
	var lower []string
	var upper string
	for pid := s.PID; pid > 0; {
		args, err := inspect.Cmdline(pid)
		if err != nil {
			break
		}
		if l, u := flags(args); l != nil && (lower == nil || slices.Equal(l, lower)) {
			named, lower, upper = pid, l, u
		}
		p, err := inspect.ReadProcess(pid)
		if err != nil {
			break
		}
		pid = p.PPid
	}
	if lower != nil {
		s.takeFlags(named, lower, upper)
	}
}

// flags returns the values of -lower and -upper; lower is nil if there is none.
func flags(args []string) (lower []string, upper string) {
	for i, arg := range args {
		name, value, given := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if !strings.HasPrefix(arg, "-") {
			continue
		}
		if !given && i+1 < len(args) {
			value = args[i+1]
		}
		switch name {
		case "lower":
			lower = split(protect(value))
		case "upper":
			upper = value
		}
	}
	return lower, upper
}

// takeFlags gives the layers that are not found yet the directories that a
// command line names.
func (s *Stack) takeFlags(pid int, lower []string, upper string) {
	how := fmt.Sprintf("by the flags of process %d", pid)
	place := func(l *Layer, dir string) {
		if !filepath.IsAbs(dir) {
			cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
			if err != nil {
				return
			}
			dir = filepath.Join(cwd, dir)
		}
		if l.Dir == "" && isDir(dir) {
			l.Dir, l.How, l.Why = dir, how, ""
			s.guessed = true
		}
	}
	count := 0
	for _, l := range s.Layers {
		if !l.Upper {
			count++
		}
	}
	if len(lower) > count {
		return // it is another overlay
	}
	at := len(s.Layers) - len(lower)
	for i, dir := range lower {
		place(&s.Layers[at+i], dir)
	}
	if s.Layers[0].Upper && upper != "" {
		place(&s.Layers[0], upper)
	}
	for i := range s.Layers {
		if l := &s.Layers[i]; l.Dir == "" && l.Why == "" {
			l.Why = "no name leads to it any more"
		}
	}
}
