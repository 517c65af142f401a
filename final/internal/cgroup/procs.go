//go:build linux

package cgroup

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"lab/final/internal/kernel"
)

// Procs lists the container's processes, by their pids as the caller sees them; with
// all also those in cgroups that the container made below its own. One that the
// caller cannot see is not listed.
func (c *Cgroup) Procs(all bool) ([]int, error) {
	p, err := c.main()
	if err != nil {
		return nil, err
	}
	if !all {
		return readPids(filepath.Join(p.Dir, "cgroup.procs"))
	}
	var pids []int
	err = filepath.WalkDir(p.Dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case isGone(err) && path != p.Dir:
			return nil // removed meanwhile
		case err != nil:
			return err
		case !entry.IsDir():
			return nil
		}
		more, err := readPids(filepath.Join(path, "cgroup.procs"))
		if isGone(err) && path != p.Dir {
			return nil
		}
		pids = append(pids, more...)
		return err
	})
	slices.Sort(pids)
	return slices.Compact(pids), err
}

// readPids reads cgroup.procs, a pid a line. A process of a pid namespace that is
// not below the reader's is 0.
func readPids(path string) ([]int, error) {
	text, err := kernel.Read(path)
	if err != nil {
		return nil, err
	}
	var pids []int
	for word := range strings.FieldsSeq(string(text)) {
		pid, err := strconv.Atoi(word)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		if pid > 0 {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}
