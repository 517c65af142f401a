//go:build linux

package check

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"lab/internal/inspect"
	"lab/internal/need"
)

// group is one process's cgroup in the hierarchy of a controller.
type group struct {
	version int
	dir     string
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
				found[controller] = group{h.Version, filepath.Join(h.Mount, below)}
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

// holds compares a file of the cgroup with what it should hold.
func (g group) holds(h *Held, file, want string) error {
	got, err := g.text(file)
	if err != nil || got == want {
		return err
	}
	return &Failure{
		Command: h.Command, Expected: file + " holds " + want,
		Kernel:    fmt.Sprintf("%s/%s holds %q", g.dir, file, got),
		Diagnosis: "The limit was not written, or to another cgroup, or in another unit.",
		Look:      "cat " + filepath.Join(g.dir, file),
	}
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

// wantPercent compares the CPU limit.
func wantPercent(h *Held, g group, got, want float64) error {
	if math.Abs(got-want) < 0.1 {
		return nil
	}
	file := g.file("cpu.cfs_quota_us", "cpu.max")
	return &Failure{
		Command: h.Command, Expected: fmt.Sprintf("quota / period is %g %%", want),
		Kernel:    fmt.Sprintf("%s in %s gives %g %%", file, g.dir, got),
		Diagnosis: "The quota is the part of each period that all CPUs together may spend.",
		Look:      "cat " + filepath.Join(g.dir, file),
	}
}
