//go:build linux

package box

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// process is one directory of /proc.
type process struct {
	pid, ppid int
	uid       int
	state     string
	command   string // the command line, or [name] where there is none
	name      string
}

// processes reads /proc, sorted by pid. What it shows are the processes of the pid
// namespace in which that /proc was mounted.
func processes() ([]process, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var list []process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		p, err := readProcess(pid)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // It ended meanwhile.
		}
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	if len(list) == 0 {
		return nil, errors.New("no process in /proc: is it mounted? mount -t proc proc /proc")
	}
	slices.SortFunc(list, func(a, b process) int { return cmp.Compare(a.pid, b.pid) })
	return list, nil
}

// readProcess reads /proc/PID/stat, cmdline and the owner of the directory's files.
//
//	14 (sleep) S 1 14 14 …
//	(1) (2)   (3)(4)
//
// (1) pid, (2) name, which may hold spaces and parentheses, (3) state, (4) parent.
func readProcess(pid int) (process, error) {
	dir := "/proc/" + strconv.Itoa(pid)
	text, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return process{}, err
	}
	open, end := strings.IndexByte(string(text), '('), strings.LastIndexByte(string(text), ')')
	if open < 0 || end < open {
		return process{}, fmt.Errorf("parse %s/stat: no name in %q", dir, text)
	}
	fields := strings.Fields(string(text[end+1:]))
	if len(fields) < 2 {
		return process{}, fmt.Errorf("parse %s/stat: too short: %q", dir, text)
	}
	p := process{pid: pid, state: fields[0], name: string(text[open+1 : end])}
	if p.ppid, err = strconv.Atoi(fields[1]); err != nil {
		return process{}, fmt.Errorf("parse %s/stat: %w", dir, err)
	}
	cmdline, err := os.ReadFile(dir + "/cmdline")
	if err != nil {
		return process{}, err
	}
	p.command = strings.ReplaceAll(strings.TrimRight(string(cmdline), "\x00"), "\x00", " ")
	if p.command == "" {
		p.command = "[" + p.name + "]"
	}
	p.uid, err = statusID(dir + "/status")
	return p, err
}

// statusID returns the effective uid.
//
//	Uid:	0	1000	0	0
//	        (1) (2)
//
// (1) real, (2) effective.
func statusID(path string) (int, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if ids, ok := strings.CutPrefix(line, "Uid:"); ok {
			if fields := strings.Fields(ids); len(fields) == 4 {
				return strconv.Atoi(fields[1])
			}
		}
	}
	return 0, fmt.Errorf("parse %s: no Uid line", path)
}

// ps lists all processes of /proc. The usual ways to ask for all of them, -e, -ef
// and aux, are accepted and print the same.
func ps(c *call) error {
	if len(c.args) == 1 && (c.args[0] == "aux" || c.args[0] == "ax") {
		c.args = nil
	}
	if _, err := c.parse("efAawx"); err != nil {
		return err
	}
	if err := c.wants(0, 0); err != nil {
		return err
	}
	list, err := processes()
	if err != nil {
		return err
	}
	c.printf("%5s %5s %-8s %-4s %s\n", "PID", "PPID", "USER", "STAT", "COMMAND")
	for _, p := range list {
		user := nameOf("/etc/passwd", p.uid, strconv.Itoa(p.uid))
		c.printf("%5d %5d %-8s %-4s %s\n", p.pid, p.ppid, user, p.state, p.command)
	}
	return nil
}

// pstree draws the processes as a tree, with -p their pids.
func pstree(c *call) error {
	o, err := c.parse("pA")
	if err != nil {
		return err
	}
	list, err := processes()
	if err != nil {
		return err
	}
	children := map[int][]process{}
	known := map[int]bool{}
	for _, p := range list {
		children[p.ppid] = append(children[p.ppid], p)
		known[p.pid] = true
	}
	for _, p := range list {
		// A parent outside of the pid namespace is shown as 0.
		if !known[p.ppid] {
			c.tree(children, p, "", o.has("p"))
		}
	}
	return nil
}

// tree draws one process and those below it.
func (c *call) tree(children map[int][]process, p process, indent string, pids bool) {
	name, _, _ := strings.Cut(p.command, " ")
	name = name[strings.LastIndexByte(name, '/')+1:]
	if pids {
		name += fmt.Sprintf("(%d)", p.pid)
	}
	if p.state == "Z" {
		name += " zombie"
	}
	c.printf("%s\n", name)
	below := children[p.pid]
	for i, child := range below {
		if i == len(below)-1 {
			c.printf("%s└─", indent)
			c.tree(children, child, indent+"  ", pids)
		} else {
			c.printf("%s├─", indent)
			c.tree(children, child, indent+"│ ", pids)
		}
	}
}
