//go:build linux

package isolation

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"lab/internal/cgroupview"
)

// cgroups tells where it is and what limits it there.
func (r *reader) cgroups() {
	r.section = "cgroups"
	file := r.proc("cgroup")
	list, err := cgroupview.Of(r.pid)
	if err != nil {
		r.unknown("path", file, err)
		return
	}
	var same []string
	for _, c := range list {
		if !c.Own() {
			same = append(same, c.Name())
			continue
		}
		meaning := "its own place in the tree; yours is " + c.Yours
		if c.Why != "" {
			meaning += "; " + c.Why
		}
		r.add(c.Name(), true, c.Path, meaning, file)
	}
	if len(same) > 0 {
		r.add("others", false, strings.Join(same, " "), "where you are, too", file)
	}
	for _, l := range limits {
		r.limit(list, l)
	}
}

// limit is a resource that a cgroup can limit, with its files on version 1 and 2.
type limit struct {
	item   string
	files  []string // that hold the limit
	usage  []string
	read   func(text, dir string) (value string, limited bool)
	amount func(string) string
}

// limits are those that the course is about.
var limits = []limit{
	{
		item:  "memory limit",
		files: []string{"memory.max", "memory.limit_in_bytes"},
		usage: []string{"memory.current", "memory.usage_in_bytes"},
		read:  plainLimit, amount: cgroupview.Bytes,
	},
	{
		item:  "swap limit",
		files: []string{"memory.swap.max", "memory.memsw.limit_in_bytes"},
		usage: []string{"memory.swap.current", "memory.memsw.usage_in_bytes"},
		read:  plainLimit, amount: cgroupview.Bytes,
	},
	{item: "cpu limit", files: []string{"cpu.max", "cpu.cfs_quota_us"}, read: processors},
	{
		item: "task limit", files: []string{"pids.max"}, usage: []string{"pids.current"},
		read: plainLimit, amount: func(text string) string { return text },
	},
}

// plainLimit reads a limit that is one number.
func plainLimit(text, _ string) (string, bool) {
	_, limited := cgroupview.Number(text)
	return text, limited
}

// processors reads a limit of processor time: "50000 100000" on version 2; on
// version 1 the period is in another file.
func processors(text, dir string) (string, bool) {
	quota, period, two := strings.Cut(text, " ")
	if !two {
		period = content(filepath.Join(dir, "cpu.cfs_period_us"))
	}
	said := cgroupview.Processors(quota, period)
	return said, said != "no limit"
}

// content returns what a file holds, without the end of its line.
func content(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// limit tells one limit and how much of it is used. Where the process's own
// cgroup has none, an ancestor may: the nearest one is told.
func (r *reader) limit(list []cgroupview.Cgroup, l limit) {
	for _, c := range list {
		for i, name := range l.files {
			if c.Dir == "" {
				continue
			}
			dir, text := nearest(c, name, l)
			if text == "" {
				continue
			}
			r.tell(l, c, dir, name, text)
			if l.usage != nil {
				r.page.Lines[len(r.page.Lines)-1].Meaning += used(c.Dir, l, i)
			}
			return
		}
	}
}

// nearest returns the cgroup, from the process's own upwards, that has a limit,
// or the process's own with what its file says.
func nearest(c cgroupview.Cgroup, name string, l limit) (dir, text string) {
	own := content(filepath.Join(c.Dir, name))
	for dir := c.Dir; ; dir = filepath.Dir(dir) {
		if text := content(filepath.Join(dir, name)); text != "" {
			if _, limited := l.read(text, dir); limited {
				return dir, text
			}
		}
		if dir == c.Mount || len(dir) <= len(c.Mount) {
			return c.Dir, own
		}
	}
}

// tell adds the line of a limit.
func (r *reader) tell(l limit, c cgroupview.Cgroup, dir, name, text string) {
	value, limited := l.read(text, dir)
	meaning := "it takes what the host has"
	switch {
	case limited && dir == c.Dir:
		meaning = "its cgroup's limit"
	case limited:
		meaning = "the limit of a cgroup around its own"
	}
	if !limited {
		value = "no limit"
	} else if l.amount != nil {
		value = l.amount(value)
	}
	if strings.Contains(name, "memsw") {
		meaning += ", memory and swap together"
	}
	r.add(l.item, limited, value, meaning, filepath.Join(dir, name))
}

// used tells how much is in use.
func used(dir string, l limit, version int) string {
	text := content(filepath.Join(dir, l.usage[version]))
	if text == "" {
		return ""
	}
	return fmt.Sprintf("; %s in use", l.amount(text))
}
