//go:build linux

package layers

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// measure counts what is in a layer. A file with several names counts once.
func (u *union) measure(i int) {
	l := &u.Layers[i]
	if l.Dir == "" {
		return
	}
	known := map[[2]uint64]bool{}
	root := filepath.Clean(l.Dir)
	walk := func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			l.Why = "not read whole: " + err.Error()
			return nil //nolint:nilerr // the rest can be read
		}
		if d.IsDir() {
			return nil
		}
		var st unix.Stat_t
		if err := unix.Lstat(name, &st); err != nil {
			return nil //nolint:nilerr // it has gone meanwhile
		}
		id := [2]uint64{st.Dev, st.Ino}
		l.Files++
		if known[id] || st.Mode&unix.S_IFMT != unix.S_IFREG {
			return nil
		}
		known[id] = true
		l.Bytes += st.Size
		if !u.seen[name] && !l.Data {
			l.HiddenBytes += st.Size
		}
		return nil
	}
	if err := filepath.WalkDir(root, walk); err != nil {
		l.Why = "not read whole: " + err.Error()
	}
}

// unreached compares the overlay itself with what the layers in reach make of it.
// What they do not have, or have with another size or time, comes from a layer
// out of reach.
func (u *union) unreached() {
	lost := u.lost()
	if u.merged == "" || len(lost) == 0 && !u.guessed {
		return
	}
	source := -1
	if len(lost) == 1 {
		source = lost[0]
	}
	index := map[string]int{}
	for i, e := range u.Entries {
		index[e.Path] = i
	}
	compared, agree := 0, 0
	err := u.walkMerged(func(full string, st unix.Stat_t) {
		isDir := st.Mode&unix.S_IFMT == unix.S_IFDIR
		i, known := index[full]
		compared++
		if known && (isDir && u.Entries[i].Dir || u.sameFile(u.Entries[i], st)) {
			agree++
			return
		}
		e := Entry{Path: full, Dir: isDir, Size: st.Size, Layer: source, State: Plain}
		if isDir {
			e.Size = 0
		}
		if !known {
			u.Entries = append(u.Entries, e)
			return
		}
		old := u.Entries[i]
		delete(u.seen, u.real(place{old.Layer, old.Path}))
		e.State, e.Hides = Replaced, append([]int{old.Layer}, old.Hides...)
		u.Entries[i] = e
	})
	u.compared(lost, compared, agree, err)
}

// lost returns the layers that are out of reach.
func (s *Stack) lost() []int {
	var list []int
	for i, l := range s.Layers {
		if l.Dir == "" && !l.Data {
			list = append(list, i)
		}
	}
	return list
}

// compared says how the comparison went.
func (s *Stack) compared(lost []int, compared, agree int, err error) {
	if err != nil {
		s.Notes = append(s.Notes,
			"The overlay itself cannot be read to compare: "+err.Error()+".")
		return
	}
	note := fmt.Sprintf("Compared with the overlay itself: of its %d names %d are what these "+
		"directories make of it", compared, agree)
	if len(lost) > 0 && compared > agree {
		note += fmt.Sprintf(", %d come from what is out of reach", compared-agree)
	}
	s.Notes = append(s.Notes, note+".")
}

// walkMerged calls see for every name in the overlay that no other mount covers.
func (u *union) walkMerged(see func(full string, st unix.Stat_t)) error {
	return filepath.WalkDir(u.merged+"/", func(name string, d fs.DirEntry, err error) error {
		full := path.Join("/", strings.TrimPrefix(name, u.merged))
		if err != nil {
			if full != "/" && !errors.Is(err, os.ErrNotExist) {
				return nil // a directory that may not be read; its layer may be
			}
			return err
		}
		if u.covered[full] {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		var st unix.Stat_t
		if full != "/" && unix.Lstat(name, &st) == nil {
			see(full, st)
		}
		return nil
	})
}

// sameFile compares an entry with what the overlay shows: it passes on the
// attributes of the layer's file.
func (u *union) sameFile(e Entry, st unix.Stat_t) bool {
	if e.State == Whiteout {
		return false
	}
	var own unix.Stat_t
	if unix.Lstat(u.real(place{e.Layer, e.Path}), &own) != nil {
		return false
	}
	return own.Size == st.Size && own.Mode == st.Mode && own.Mtim == st.Mtim
}

// remark adds what a reader has to know about the picture's limits.
func (s *Stack) remark() {
	if !slices.Contains(s.attributes, "trusted.overlay.") || mayReadTrusted() {
		return
	}
	s.Notes = append(s.Notes, "Attributes trusted.overlay.* are for root's eyes: opaque "+
		"directories look as if they were not.")
}

// mayReadTrusted reports whether trusted attributes can be seen: with
// CAP_SYS_ADMIN in the first user namespace, the only one that maps all ids.
//
//	0          0 4294967295
func mayReadTrusted() bool {
	text, err := os.ReadFile("/proc/self/uid_map")
	all := []string{"0", "0", "4294967295"}
	return err == nil && os.Geteuid() == 0 && slices.Equal(strings.Fields(string(text)), all)
}
