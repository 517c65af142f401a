//go:build linux

// Package inspect reads what a process is isolated from. All of it is the
// kernel's own word, from files under /proc: see proc(5), namespaces(7),
// cgroups(7). Nothing here asks the process.
package inspect

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// Types are the kinds of namespaces, named as in /proc/PID/ns.
var Types = []string{"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"}

// Namespace returns the inode number that identifies one of a process's
// namespaces: equal numbers mean the same namespace.
func Namespace(pid int, kind string) (uint64, error) {
	var st unix.Stat_t
	path := fmt.Sprintf("/proc/%d/ns/%s", pid, kind)
	if err := unix.Stat(path, &st); err != nil {
		return 0, fmt.Errorf("stat %s: %w", path, err)
	}
	return st.Ino, nil
}

// Namespaces returns the inode numbers of all namespaces of a process; a kind
// that this kernel does not have is left out.
func Namespaces(pid int) (map[string]uint64, error) {
	found := map[string]uint64{}
	for _, kind := range Types {
		inode, err := Namespace(pid, kind)
		if errors.Is(err, fs.ErrNotExist) && len(found) > 0 {
			continue
		}
		if err != nil {
			return nil, err
		}
		found[kind] = inode
	}
	return found, nil
}

// Status is the part of /proc/PID/status that tells who a process is.
type Status struct {
	Name   string
	State  byte  // R, S, D, T, Z …, as Process has it
	PPid   int   // 0 when the parent is outside of the reader's PID namespace
	NSpid  []int // its pid in each PID namespace, the reader's first
	UID    [4]int
	GID    [4]int
	Groups []int // the supplementary ones
	CapEff uint64
	CapPrm uint64
	CapBnd uint64
	CapInh uint64
	CapAmb uint64

	NoNewPrivs bool
	Seccomp    int // 0 none, 1 strict, 2 filters
	Filters    int // how many seccomp filters; -1 where the kernel does not say
}

// ReadStatus reads /proc/PID/status, of which these are some lines:
//
//	Name:	sleep
//	State:	S (sleeping)
//	PPid:	4711
//	Uid:	1000	1000	1000	1000
//	NSpid:	4712	1
//	CapEff:	000001ffffffffff
//	NoNewPrivs:	0
//	Seccomp:	2
func ReadStatus(pid int) (Status, error) {
	path := fmt.Sprintf("/proc/%d/status", pid)
	text, err := os.ReadFile(path)
	if err != nil {
		return Status{}, err
	}
	s := Status{Filters: -1}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if err := s.set(key, strings.Fields(value)); err != nil {
			return Status{}, fmt.Errorf("read %s: %s: %w", path, key, err)
		}
	}
	s.State, err = wholeState(pid, s.State)
	return s, err
}

// set takes one line of the file.
func (s *Status) set(key string, words []string) (err error) {
	if len(words) == 0 {
		return nil
	}
	switch key {
	case "Name":
		s.Name = strings.Join(words, " ")
	case "State":
		s.State = words[0][0]
	case "PPid":
		s.PPid, err = strconv.Atoi(words[0])
	case "NSpid":
		s.NSpid, err = numbers(words)
	case "Uid", "Gid":
		var ids []int
		if ids, err = numbers(words); err == nil && len(ids) == 4 {
			if key == "Uid" {
				s.UID = [4]int(ids)
			} else {
				s.GID = [4]int(ids)
			}
		}
	case "Groups":
		s.Groups, err = numbers(words)
	case "NoNewPrivs":
		s.NoNewPrivs = words[0] == "1"
	case "Seccomp":
		s.Seccomp, err = strconv.Atoi(words[0])
	case "Seccomp_filters":
		s.Filters, err = strconv.Atoi(words[0])
	default:
		return s.setCapabilities(key, words[0])
	}
	return err
}

// setCapabilities takes one of the lines that are sets of capabilities.
func (s *Status) setCapabilities(key, word string) (err error) {
	sets := map[string]*uint64{
		"CapEff": &s.CapEff, "CapPrm": &s.CapPrm, "CapBnd": &s.CapBnd,
		"CapInh": &s.CapInh, "CapAmb": &s.CapAmb,
	}
	if set := sets[key]; set != nil {
		*set, err = strconv.ParseUint(word, 16, 64)
	}
	return err
}

// numbers turns words into numbers.
func numbers(words []string) ([]int, error) {
	var list []int
	for _, w := range words {
		n, err := strconv.Atoi(w)
		if err != nil {
			return nil, err
		}
		list = append(list, n)
	}
	return list, nil
}

// ErrNoMounts means that a process has ended, and its parent has not asked for its
// exit status yet: it is in no mount namespace any more.
var ErrNoMounts = errors.New("it has ended and left its mount namespace")

// Mounts returns the mounts that a process sees, from /proc/PID/mountinfo.
func Mounts(pid int) ([]*mountinfo.Info, error) {
	path := fmt.Sprintf("/proc/%d/mountinfo", pid)
	file, err := os.Open(path)
	if errors.Is(err, unix.EINVAL) {
		return nil, ErrNoMounts
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	mounts, err := mountinfo.GetMountsFromReader(file, nil)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return mounts, nil
}

// Cgroups returns the path of a process's cgroup in each hierarchy, by
// controller; cgroup v2 has the name "". The paths are those of the reader's
// cgroup namespace. /proc/PID/cgroup looks like this:
//
//	4:memory:/lab-1f
//	1:cpu,cpuacct:/
//	0::/user.slice
func Cgroups(pid int) (map[string]string, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return nil, err
	}
	paths := map[string]string{}
	for line := range strings.Lines(string(text)) {
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(parts) != 3 {
			continue
		}
		for controller := range strings.SplitSeq(parts[1], ",") {
			paths[controller] = parts[2]
		}
	}
	return paths, nil
}

// Mapping is one line of a user namespace's map: Size ids that begin at Inside
// in the namespace are those that begin at Outside in the reader's.
type Mapping struct{ Inside, Outside, Size int }

// IDMap reads /proc/PID/uid_map or gid_map ("uid" or "gid"), such as
//
//	0       1000          1
func IDMap(pid int, kind string) ([]Mapping, error) {
	path := fmt.Sprintf("/proc/%d/%s_map", pid, kind)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var maps []Mapping
	for line := range strings.Lines(string(text)) {
		n, err := numbers(strings.Fields(line))
		if err != nil || len(n) != 3 {
			return nil, fmt.Errorf("read %s: %q is no mapping", path, line)
		}
		maps = append(maps, Mapping{n[0], n[1], n[2]})
	}
	return maps, nil
}

// Cmdline returns the arguments of a process; a zombie has none.
func Cmdline(pid int) ([]string, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return nil, err
	}
	if len(text) == 0 {
		return nil, nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00"), nil
}

// Processes returns the pids that the mounted /proc shows, in order.
func Processes() ([]int, error) {
	names, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, name := range names {
		if pid, err := strconv.Atoi(filepath.Base(name)); err == nil {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids, nil
}

// Descendants returns the children of a process, their children and so on.
// Processes that vanish meanwhile are left out.
func Descendants(pid int) ([]int, error) {
	pids, err := Processes()
	if err != nil {
		return nil, err
	}
	children := map[int][]int{}
	for _, p := range pids {
		if s, err := ReadStatus(p); err == nil {
			children[s.PPid] = append(children[s.PPid], p)
		}
	}
	found := slices.Clone(children[pid])
	for i := 0; i < len(found); i++ {
		found = append(found, children[found[i]]...)
	}
	return found, nil
}

// StartTime returns when a process started, in clock ticks since boot. A pid
// and its start time together name one process for good.
func StartTime(pid int) (uint64, error) {
	p, err := ReadProcess(pid)
	return p.Start, err
}

// cutLast cuts around the last separator.
func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
