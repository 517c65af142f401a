package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"lab/internal/need"
)

// parent is a cgroup in which a run may make its own, as it was before.
type parent struct {
	Dir string `json:"dir"`
	// HandsOn are the controllers in cgroup.subtree_control, of version 2. A
	// run may have added to them.
	HandsOn []string `json:"hands_on,omitempty"`
	// Children are the cgroups that there were.
	Children []string `json:"children,omitempty"`
	Version  int      `json:"version"`
}

const subtreeControl = "cgroup.subtree_control"

// parentNow reads what a run may change about a cgroup.
func parentNow(dir string) parent {
	p := parent{Dir: dir, Version: 1}
	if text, err := os.ReadFile(filepath.Join(dir, subtreeControl)); err == nil {
		p.Version, p.HandsOn = 2, strings.Fields(string(text))
	}
	p.Children = childrenOf(dir)
	return p
}

// childrenOf lists the cgroups in a cgroup by name.
func childrenOf(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil // gone, or not ours to read
	}
	var names []string
	for _, entry := range entries {
		if entry.IsDir() {
			names = append(names, entry.Name())
		}
	}
	return names
}

// CgroupName names all cgroups of a run of a step, or of lab oom:
// lab-PID-NAMESPACE. A pid means something together with its namespace alone,
// as in pid:[4026531836].
func CgroupName(pid int) (string, error) {
	namespace, err := inode("/proc/self/ns/pid")
	return fmt.Sprintf("lab-%d-%d", pid, namespace), err
}

// cgroupOwner reads the pid from the name of a cgroup of ours. The last two are
// those of lab oom --attach, and of lab itself where it has to make room.
//
//	lab-4711-4026531836
//	lab-4711-4026531836-old
//	lab-4711-4026531836-leaf
func cgroupOwner(name string, namespace uint64) (pid int, ours bool) {
	words := strings.SplitN(name, "-", 4)
	if len(words) < 3 || words[0] != "lab" || words[2] != strconv.FormatUint(namespace, 10) {
		return 0, false
	}
	if len(words) == 4 && words[3] != "old" && words[3] != "leaf" {
		return 0, false
	}
	pid, err := strconv.Atoi(words[1])
	return pid, err == nil && pid > 1 && words[1] == strconv.Itoa(pid)
}

// leftHost is how the throw-away host of lab check names its cgroup, with its
// pid and a random word: lab-test-4711-k3jq7r.
var leftHost = regexp.MustCompile(`^lab-test-[1-9][0-9]*-[a-z2-7]{6}$`)

// isLeftHost reports whether a cgroup is that of a throw-away host that was
// killed: for as long as it lives, it holds the lock of the directory.
func isLeftHost(dir string) bool {
	if !leftHost.MatchString(filepath.Base(dir)) || hasProcesses(dir) {
		return false
	}
	file, err := os.Open(dir)
	if err != nil {
		return false
	}
	defer file.Close()
	return unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil
}

// hasProcesses reports whether a process is in a cgroup or below it.
func hasProcesses(dir string) bool {
	text, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if err != nil || len(text) > 0 {
		return true // not known to be empty
	}
	return slices.ContainsFunc(childrenOf(dir), func(child string) bool {
		return hasProcesses(filepath.Join(dir, child))
	})
}

// CgroupParents are the cgroups in which a command of lab may make its own: of
// each hierarchy the top, this process's own, and that one's parent.
func CgroupParents() ([]string, error) {
	hierarchies, err := need.Hierarchies()
	if err != nil {
		return nil, err
	}
	var dirs []string
	for _, h := range hierarchies {
		dirs = append(dirs, h.Mount)
		if own, ok := h.OwnDir(); ok && own != h.Mount {
			dirs = append(dirs, own)
			if above := filepath.Dir(own); above != h.Mount {
				dirs = append(dirs, above)
			}
		}
	}
	return dirs, nil
}

// cleanCgroups removes the cgroups of dead processes and gives the parents
// their settings back.
func (c *cleaning) cleanCgroups() error {
	dirs, err := CgroupParents()
	if err != nil {
		return err
	}
	for _, s := range c.ended {
		for _, p := range s.Cgroups {
			dirs = append(dirs, p.Dir)
		}
	}
	slices.Sort(dirs)
	for _, dir := range slices.Compact(dirs) {
		for _, name := range childrenOf(dir) {
			path := filepath.Join(dir, name)
			pid, ours := cgroupOwner(name, c.namespace)
			if ours && !c.ownerLives(pid) || isLeftHost(path) {
				c.do(Cgroups, "cgroup "+path, func() error { return removeCgroup(path) })
			}
		}
	}
	for _, s := range c.ended {
		if s.Boot != c.boot {
			continue
		}
		for _, p := range s.Cgroups {
			c.takeBack(p)
		}
	}
	return nil
}

// ownerLives reports whether a pid is that of a process that may own a cgroup
// of this name. One that the journal knows by another start time is not it.
func (c *cleaning) ownerLives(pid int) bool {
	now, err := thisProcess("", pid)
	if err != nil {
		return false
	}
	for _, s := range c.ended {
		for _, p := range s.Processes {
			if s.local(c.boot, c.namespace) && p.PID == pid {
				return p.lives()
			}
		}
	}
	return now.lives()
}

// takeBack has a version 2 parent hand on no more than before. It is left
// alone where a cgroup is in it that was not there before: that one may count
// on the controllers.
func (c *cleaning) takeBack(before parent) {
	if before.Version != 2 {
		return
	}
	now := parentNow(before.Dir)
	var added []string
	for _, name := range now.HandsOn {
		if !slices.Contains(before.HandsOn, name) {
			added = append(added, name)
		}
	}
	if len(added) == 0 {
		return
	}
	what := fmt.Sprintf("%s/%s without %s", before.Dir, subtreeControl, strings.Join(added, " "))
	for _, child := range now.Children {
		planned := c.DryRun && c.plans(before.Dir, child)
		if !planned && !slices.Contains(before.Children, child) {
			c.keep(Settings, what, "the cgroup "+child+" came later and may need it")
			return
		}
	}
	c.do(Settings, what, func() error {
		// echo "-memory -pids" > cgroup.subtree_control
		text := "-" + strings.Join(added, " -")
		return os.WriteFile(filepath.Join(before.Dir, subtreeControl), []byte(text), 0)
	})
}

// plans reports whether a cgroup is among those that would be removed.
func (c *cleaning) plans(dir, child string) bool {
	return slices.ContainsFunc(c.Actions, func(a Action) bool {
		return a.What == "cgroup "+filepath.Join(dir, child)
	})
}

// removeCgroup removes a cgroup, and first those below it. The kernel refuses
// while a process is in one, and for a moment after the last.
func removeCgroup(dir string) error {
	for _, child := range childrenOf(dir) {
		if err := removeCgroup(filepath.Join(dir, child)); err != nil {
			return err
		}
	}
	deadline := time.Now().Add(patience)
	for {
		err := unix.Rmdir(dir)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if !errors.Is(err, unix.EBUSY) || time.Now().After(deadline) {
			return fmt.Errorf("rmdir %s: %w", dir, err)
		}
		time.Sleep(time.Millisecond)
	}
}

// patience is how long the kernel may take to let go of what the dead had, on a machine
// with much else to do.
const patience = 30 * time.Second
