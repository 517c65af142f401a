//go:build linux

package check

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"lab/internal/inspect"
	"lab/internal/need"
)

// group is one process's cgroup in the hierarchy of a controller.
type group struct {
	version    int
	controller string
	mount      string // of the hierarchy
	dir        string
}

// groups are a process's cgroups by controller.
type groups map[string]group

// groupsOf finds a process's cgroups of the controllers that limit, as
// directories: /proc/PID/cgroup names each by a path that begins where the
// hierarchy's mount does.
func groupsOf(pid int) (groups, error) {
	paths, err := inspect.Cgroups(pid)
	if err != nil {
		return nil, err
	}
	hierarchies, err := need.Hierarchies()
	if err != nil {
		return nil, err
	}
	found := groups{}
	for _, h := range hierarchies {
		for _, controller := range h.Controllers {
			path := paths[controller]
			if h.Version == 2 {
				path = paths[""]
			}
			below, err := filepath.Rel(h.Root, path)
			if _, known := found[controller]; err == nil && !known {
				dir := filepath.Join(h.Mount, below)
				found[controller] = group{h.Version, controller, h.Mount, dir}
			}
		}
	}
	return found, nil
}

// text returns a file of the cgroup, empty if there is none.
func (g group) text(file string) (string, error) {
	text, err := os.ReadFile(filepath.Join(g.dir, file))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	return strings.TrimSpace(string(text)), nil
}

// file picks the name that a file has in the cgroup's version.
func (g group) file(v1, v2 string) string {
	if g.version == 2 {
		return v2
	}
	return v1
}

// counter returns the number in a line such as "oom_kill 1" of a file.
func (g group) counter(file, name string) (int, error) {
	text, err := g.text(file)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(text) {
		if words := strings.Fields(line); len(words) == 2 && words[0] == name {
			return strconv.Atoi(words[1])
		}
	}
	return 0, nil
}

// pathIn finds a controller's path in the text of /proc/PID/cgroup:
//
//	4:cpu,cpuacct:/web
//	0::/
func pathIn(text string, version int, controller string) string {
	for line := range strings.Lines(text) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) < 3 {
			continue
		}
		names := strings.Split(fields[1], ",")
		if version == 2 && fields[0] == "0" || version == 1 && slices.Contains(names, controller) {
			return fields[2]
		}
	}
	return ""
}

// percent reads how much of one CPU the cgroup gets, 0 if there is no limit:
// quota and period in two files on version 1, "50000 100000" on version 2.
func (g group) percent() (float64, error) {
	text, err := g.text("cpu.max")
	if g.version == 1 {
		var period string
		if text, err = g.text("cpu.cfs_quota_us"); err == nil {
			period, err = g.text("cpu.cfs_period_us")
		}
		text += " " + period
	}
	words := strings.Fields(text)
	if err != nil || len(words) != 2 {
		return 0, err
	}
	quota, errQuota := strconv.ParseFloat(words[0], 64)
	period, errPeriod := strconv.ParseFloat(words[1], 64)
	if errQuota != nil || errPeriod != nil || quota < 0 {
		return 0, nil //nolint:nilerr // the word max: no limit
	}
	return 100 * quota / period, nil
}

// weight reads the share of the CPU that counts when others want it as well, and
// the one that every cgroup begins with.
func (g group) weight() (text, usual string, err error) {
	text, err = g.text(g.file("cpu.shares", "cpu.weight"))
	return text, g.file("1024", "100"), err
}

// isLimited reports whether the cgroup has a limit of its controller.
func (g group) isLimited() (bool, error) {
	switch g.controller {
	case "memory":
		text, err := g.text(g.file("memory.limit_in_bytes", "memory.max"))
		return bounded(text), err
	case "pids":
		text, err := g.text("pids.max")
		return bounded(text), err
	}
	percent, err := g.percent()
	return percent > 0, err
}

// bounded reports whether a text is a limit: no limit is the word max or, on
// version 1, 9223372036854771712.
func bounded(text string) bool {
	n, err := strconv.ParseInt(text, 10, 64)
	return err == nil && n < 1<<60
}

// parent is the cgroup around this one.
func (g group) parent() group {
	g.dir = filepath.Dir(g.dir)
	return g
}

// byHand names the cgroup's directory for a shell on the host, where it has
// another name when the command is repeated.
//
//	4:memory:/lab-4711
func (g group) byHand(h *Held) string {
	lines := fmt.Sprintf("grep -w %s /proc/%s/cgroup", g.controller, h.pid())
	if g.version == 2 {
		lines = fmt.Sprintf("grep ^0 /proc/%s/cgroup", h.pid())
	}
	return fmt.Sprintf("%s$(%s | cut -d: -f3)", g.mount, lines)
}

// deserted returns the cgroups of a hierarchy that hold nothing: no process and
// no cgroup.
func (g group) deserted() ([]string, error) {
	var found []string
	err := filepath.WalkDir(g.mount, func(dir string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		var st unix.Stat_t
		if err := unix.Stat(dir, &st); err != nil {
			return err
		}
		members, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		// A directory has two links, and one more for each directory in it.
		if err == nil && len(members) == 0 && st.Nlink == 2 {
			found = append(found, dir)
		}
		return err
	})
	return found, err
}
