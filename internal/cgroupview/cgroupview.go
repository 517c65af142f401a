//go:build linux

// Package cgroupview explains the cgroups of a process: in which it is, and what
// each file of their controllers that matters says there, on version 1 and 2.
// What it shows is what the files hold. See cgroups(7) and the kernel's
// Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst.
package cgroupview

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"lab/internal/inspect"
)

// Cgroup is a process's cgroup in one hierarchy.
type Cgroup struct {
	inspect.Membership
	// Yours is the caller's path in the same hierarchy.
	Yours string
	// Controllers are those that count here: of version 2 the ones that are
	// enabled in this very cgroup.
	Controllers []string
	Files       []File
	Processes   []int // those in the cgroup itself; 0 is one the reader cannot see
	// Why says why there are no files.
	Why string
}

// File is one file of a cgroup.
type File struct {
	Name    string
	Text    string // what it holds
	Value   string // the same for people
	Meaning string
	Usual   bool  // not worth a line
	Err     error // why it could not be read
}

// Own reports whether the process is in another cgroup than the caller.
func (c Cgroup) Own() bool { return c.Path != c.Yours }

// Name returns the hierarchy's controllers or its name.
func (c Cgroup) Name() string {
	if c.Version() == 2 {
		return "v2"
	}
	return strings.Join(c.Membership.Controllers, ",")
}

// Of reads a process's cgroups.
func Of(pid int) ([]Cgroup, error) {
	memberships, err := inspect.Memberships(pid)
	if err != nil {
		return nil, inspect.Meanwhile(pid, err)
	}
	self, err := inspect.Self()
	if err != nil {
		return nil, err
	}
	yours, err := inspect.Memberships(self)
	if err != nil {
		return nil, err
	}
	var list []Cgroup
	for _, m := range memberships {
		c := Cgroup{Membership: m, Controllers: m.Controllers}
		for _, y := range yours {
			if slices.Equal(y.Controllers, m.Controllers) {
				c.Yours = y.Path
			}
		}
		c.read()
		list = append(list, c)
	}
	slices.SortStableFunc(list, func(a, b Cgroup) int { return a.rank() - b.rank() })
	return list, nil
}

// rank puts the controllers first that the course is about.
func (c Cgroup) rank() int {
	for i, name := range []string{"memory", "cpu", "pids"} {
		if slices.Contains(c.Membership.Controllers, name) {
			return i
		}
	}
	const others, named = 10, 11
	if strings.HasPrefix(c.Name(), "name=") {
		return named
	}
	return others
}

// read reads the cgroup's files.
func (c *Cgroup) read() {
	switch {
	case strings.HasSuffix(c.Path, " (deleted)"):
		c.Why = "the cgroup was removed while the process ended in it"
		return
	case c.Dir == "":
		c.Why = "no mount that you see shows it"
		return
	}
	if c.Version() == 2 {
		c.Controllers = strings.Fields(c.text("cgroup.controllers"))
	}
	known := v1
	if c.Version() == 2 {
		known = v2
	}
	values := map[string]string{}
	for _, k := range known {
		for _, name := range c.names(k.name) {
			text, err := os.ReadFile(filepath.Join(c.Dir, name))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			values[name] = strings.TrimSpace(string(text))
			c.Files = append(c.Files, File{Name: name, Text: values[name], Err: err})
		}
	}
	c.explain(known, values)
	for word := range strings.FieldsSeq(c.text("cgroup.procs")) {
		if pid, err := strconv.Atoi(word); err == nil {
			c.Processes = append(c.Processes, pid)
		}
	}
	slices.Sort(c.Processes)
}

// text returns what a file holds, nothing if it cannot be read.
func (c *Cgroup) text(name string) string {
	text, err := os.ReadFile(filepath.Join(c.Dir, name))
	if err != nil {
		return ""
	}
	return string(text)
}

// names returns the files that a name with a star stands for.
func (c *Cgroup) names(pattern string) []string {
	if !strings.Contains(pattern, "*") {
		return []string{pattern}
	}
	paths, err := filepath.Glob(filepath.Join(c.Dir, pattern))
	if err != nil {
		return nil // the patterns are ours and in order
	}
	for i, path := range paths {
		paths[i] = filepath.Base(path)
	}
	return paths
}

// explain puts each file's text into words.
func (c *Cgroup) explain(known []entry, values map[string]string) {
	for i := range c.Files {
		f := &c.Files[i]
		j := slices.IndexFunc(known, func(k entry) bool {
			match, err := filepath.Match(k.name, f.Name)
			return err == nil && match
		})
		k := known[j]
		f.Meaning = k.phrase
		if f.Err != nil {
			continue
		}
		f.Value = k.kind.format(f.Text)
		f.Usual = k.usual == "*" || k.usual != "" && k.usual == f.Text
		if k.mean != nil {
			if more := k.mean(f.Text, values); more != "" {
				f.Meaning = more + ": " + k.phrase
			}
		}
		if k.kind == keyed {
			f.Meaning += ": " + strings.ReplaceAll(f.Text, "\n", ", ")
		}
	}
}
