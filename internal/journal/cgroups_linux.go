package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"lab/internal/need"
)

// hostDepth is how deep a machine's cgroups are listed: a runtime makes its
// cgroup at the top, or in one directory of its own there.
const hostDepth = 2

// anyDepth lists a tree to its end.
const anyDepth = 1 << 10

// cgroups lists the cgroups of every mounted hierarchy: all of them in a
// throw-away host; otherwise those near the top and those below this
// process's own, but not what systemd and engines come and go with.
func (s Scope) cgroups() ([]Entry, error) {
	hierarchies, err := need.Hierarchies()
	if err != nil {
		return nil, err
	}
	var found []Entry
	for _, h := range hierarchies {
		walk, depth := cgroupWalk{skip: others}, hostDepth
		if s.Whole {
			walk, depth = cgroupWalk{skip: func(string) bool { return false }}, anyDepth
		}
		err := walk.down(h.Mount, depth)
		if own, ok := h.OwnDir(); ok && own != h.Mount && err == nil {
			err = walk.down(own, anyDepth)
		}
		if err != nil {
			return found, fmt.Errorf("list cgroups: %w", err)
		}
		slices.Sort(walk.found)
		for _, dir := range slices.Compact(walk.found) {
			found = append(found, Entry{Kind: Cgroups, ID: dir, What: "cgroup " + dir})
		}
	}
	return found, nil
}

// cgroupWalk collects the directories of a hierarchy.
type cgroupWalk struct {
	skip  func(name string) bool
	found []string
}

// down collects the directories below dir. Every file in a cgroup's directory
// costs nothing here: a directory's entry tells its type.
func (w *cgroupWalk) down(dir string, depth int) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // removed while we read
	}
	if err != nil || depth == 0 {
		return err
	}
	for _, entry := range entries {
		if !entry.IsDir() || w.skip(entry.Name()) {
			continue
		}
		path := filepath.Join(dir, entry.Name())
		w.found = append(w.found, path)
		if err := w.down(path, depth-1); err != nil {
			return err
		}
	}
	return nil
}

// others reports a name that is somebody else's: a systemd unit, the long
// hexadecimal number by which an engine calls a container, or a cgroup of
// this module's tests, which compare by themselves.
func others(name string) bool {
	if strings.HasPrefix(name, "lab-test-") || strings.HasPrefix(name, "lab-need-") {
		return true
	}
	switch filepath.Ext(name) {
	case ".service", ".scope", ".slice", ".socket", ".mount", ".swap", ".automount", ".device":
		return true
	}
	const shortest = 32
	return len(name) >= shortest && strings.Trim(name, "0123456789abcdef") == ""
}
