package cgroup

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// unifiedWrites are files of version 2 as they stand in config.json, also such as
// nobody here knows (config-linux.md, "Unified"). The first word of a file's name is
// its controller. A file takes one line at a time.
//
//	echo "259:0 rbps=2097152 wiops=120" > io.max
func unifiedWrites(files map[string]string, h Host) ([]Write, error) {
	var ws []Write
	for _, file := range slices.Sorted(maps.Keys(files)) {
		from := setting("unified", file)
		if err := checkUnified(file); err != nil {
			return nil, fmt.Errorf("%s: %w", from, err)
		}
		controller, _, _ := strings.Cut(file, ".")
		switch h.Version(controller) {
		case 0:
			return nil, h.missing(controller, from)
		case 1:
			return nil, fmt.Errorf("%s: the controller %s is in a hierarchy of version 1 here, %s",
				from, controller, h.Hierarchies[h.find(controller)].Mount)
		}
		for line := range strings.SplitSeq(strings.TrimSuffix(files[file], "\n"), "\n") {
			ws = append(ws, Write{Controller: controller, File: file, Value: line, From: from})
		}
	}
	return ws, nil
}

// checkUnified refuses names that are no limits: paths out of the cgroup, and the
// files by which processes are moved, frozen and killed.
func checkUnified(file string) error {
	name, _, hasDot := strings.Cut(file, ".")
	if !hasDot || name == "" || strings.ContainsAny(file, "/\x00\n") {
		return fmt.Errorf("%q is not the name of a file such as memory.high", file)
	}
	switch file {
	case "cgroup.procs", "cgroup.threads", "cgroup.kill", "cgroup.freeze", "cgroup.type",
		subtreeControl:
		return fmt.Errorf("%s is the runtime's to write", file)
	}
	return nil
}
