package sandbox

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"lab/internal/need"

	"golang.org/x/sys/unix"
)

// wanted are the controllers that the tests limit things with. Each costs the
// start of a test binary a few milliseconds; hierarchies of other controllers
// are not mounted in the throw-away host.
var wanted = []string{"cpu", "memory", "pids"}

// prefix begins the name of every cgroup made here: lab-test-PID-RANDOM.
const prefix = "lab-test-"

// cgroup is the throw-away host's own cgroup in one hierarchy.
type cgroup struct {
	Version int    `json:"version"`
	Mount   string `json:"mount"`
	Options string `json:"options"` // of a mount of version 1: cpu,cpuacct
	Dir     string `json:"dir"`     // as the outer process sees it

	// lock is held by the outer process for as long as it lives.
	lock *os.File
}

// makeCgroups makes the new host's cgroup in each hierarchy that matters. If
// this process may not, or the wanted controllers cannot be had, it makes
// none, and the new host sees the machine's cgroups: need.Cgroup tells the
// tests why they are of no use. Of version 1 there are more hierarchies for the
// controllers that the tests ask for, where the machine has them.
func makeCgroups(tasks int, more []string) []cgroup {
	hierarchies, err := need.Hierarchies()
	if err != nil {
		return nil
	}
	name := prefix + strconv.Itoa(os.Getpid()) + "-" + strings.ToLower(rand.Text()[:6])
	isV1 := func(h need.Hierarchy) bool { return h.Version == 1 }
	alone := !slices.ContainsFunc(hierarchies, isV1)
	var made []cgroup
	for _, h := range hierarchies {
		usual := !isV1(h) || slices.ContainsFunc(wanted, h.Has)
		if !usual && !slices.ContainsFunc(more, h.Has) {
			continue
		}
		c, ok := makeCgroup(h, name, alone, tasks)
		if !ok && !usual {
			continue
		}
		if !ok {
			_ = removeCgroups(made) // a new host without cgroups is the answer already
			return nil
		}
		made = append(made, c)
	}
	return made
}

// makeCgroup makes the new host's cgroup of one hierarchy: at the top for
// root, so that no limit of a cgroup that we happen to be in matters, else
// where this user was delegated one.
func makeCgroup(
	h need.Hierarchy, name string, controllers bool, tasks int,
) (cgroup, bool) {
	c := cgroup{Version: h.Version, Mount: h.Mount, Options: strings.Join(h.Controllers, ",")}
	for _, parent := range parents(h) {
		removeStale(parent)
		c.Dir = filepath.Join(parent, name)
		lock, err := claim(c.Dir)
		if err != nil {
			continue
		}
		if h.Version == 2 && controllers {
			enable(parent)
		}
		if c.lock = lock; h.Version == 1 || !controllers || hasAll(c.Dir) {
			return c, limitTasks(c.Dir, tasks) == nil && copyCpuset(parent, c) == nil
		}
		_ = removeCgroups([]cgroup{c}) // it was empty and nobody knew of it
	}
	return c, false
}

// How many processes and threads a throw-away host may have, the tests of a
// package with their compilers or one program that is judged: what forks without
// end fills that and not the machine.
const (
	maxTasks      = 2000
	maxTasksFresh = 400
)

// limitTasks limits a cgroup's processes, where its hierarchy counts them.
func limitTasks(dir string, tasks int) error {
	err := os.WriteFile(filepath.Join(dir, "pids.max"), []byte(strconv.Itoa(tasks)), 0)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("limit the processes of the throw-away host: %w", err)
	}
	return nil
}

// copyCpuset gives a cgroup of version 1's cpuset the processors and memory nodes
// of the one above: it is born without any, and then nobody can join it.
func copyCpuset(parent string, c cgroup) error {
	if c.Version != 1 || !strings.Contains(c.Options, "cpuset") {
		return nil
	}
	for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
		text, err := os.ReadFile(filepath.Join(parent, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(c.Dir, name), text, 0)
		}
		if err != nil {
			return fmt.Errorf("copy %s: %w", name, err)
		}
	}
	return nil
}

// claim makes a cgroup and locks it. In between another sandbox may take it
// for a stale one and remove it: then it is made again.
func claim(dir string) (*os.File, error) {
	const attempts, pause = 20, time.Millisecond
	for range attempts {
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("make the sandbox's cgroup: %w", err)
		}
		if lock, locked := tryLock(dir); locked {
			return lock, nil
		}
		time.Sleep(pause)
	}
	return nil, fmt.Errorf("lock %s: somebody else holds it", dir)
}

// tryLock locks a cgroup's directory if nobody else has. The kernel unlocks it
// when the process is dead, however it died; unlike a pid, that can be seen
// from every pid namespace.
func tryLock(dir string) (*os.File, bool) {
	file, err := os.Open(dir)
	if err != nil {
		return nil, false
	}
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil && isAt(file, dir) {
		return file, true
	}
	_ = file.Close() // it was not written to
	return nil, false
}

// isAt reports whether an open file still is what a path leads to.
func isAt(file *os.File, path string) bool {
	open, openErr := file.Stat()
	there, thereErr := os.Stat(path)
	return openErr == nil && thereErr == nil && os.SameFile(open, there)
}

// parents are the cgroups in which the new host's cgroup may be made. Beside
// a process's own cgroup is a place, too: in its own one the controllers
// cannot be enabled as long as there are processes.
func parents(h need.Hierarchy) []string {
	if os.Geteuid() == 0 {
		return []string{h.Mount}
	}
	own, ok := h.OwnDir()
	if !ok || own == h.Mount {
		return nil
	}
	return []string{own, filepath.Dir(own)}
}

// enable hands the wanted controllers of a version 2 cgroup to its children,
// each by a write of its own, since one that is missing fails the whole line.
//
//	echo +memory > /sys/fs/cgroup/cgroup.subtree_control
//
// They stay enabled: another sandbox may count on them by then.
func enable(dir string) {
	for _, controller := range wanted {
		// What it comes to is read from the child's cgroup.controllers.
		_ = os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+controller), 0)
	}
}

// hasAll reports whether a version 2 cgroup has all wanted controllers.
func hasAll(dir string) bool {
	text, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return false
	}
	available := strings.Fields(string(text))
	for _, controller := range wanted {
		if !slices.Contains(available, controller) {
			return false
		}
	}
	return true
}

// removeStale removes the cgroups of outer processes that were killed before
// they could do it: nobody holds the lock, and no process is in them.
func removeStale(parent string) {
	dirs, err := filepath.Glob(filepath.Join(parent, prefix+"*"))
	if err != nil {
		return
	}
	for _, dir := range dirs {
		lock, free := tryLock(dir)
		if !free {
			continue
		}
		_ = removeTree(dir) // processes in it may still be dying: the next one does it
		_ = lock.Close()    // it was not written to
	}
}

// join moves this process, with all its threads, into the new host's cgroups.
func join(cgroups []cgroup) error {
	for _, c := range cgroups {
		// echo 0 > …/cgroup.procs, where 0 is the writer
		if err := os.WriteFile(filepath.Join(c.Dir, "cgroup.procs"), []byte("0"), 0); err != nil {
			return fmt.Errorf("join the sandbox's cgroup: %w", err)
		}
	}
	return nil
}

// removeCgroups removes the new host's cgroups with all that the tests made
// in them. Their processes are dead, but the kernel takes a moment to see it.
func removeCgroups(cgroups []cgroup) error {
	deadline := time.Now().Add(settle())
	var left []error
	for _, c := range cgroups {
		defer func() { _ = c.lock.Close() }() // it was not written to
		err := removeTree(c.Dir)
		for errors.Is(err, unix.EBUSY) && time.Now().Before(deadline) {
			time.Sleep(5 * time.Millisecond)
			err = removeTree(c.Dir)
		}
		left = append(left, err)
	}
	return errors.Join(left...)
}

// removeTree removes a cgroup, its descendants first: rmdir(2) is all it
// takes, the files in a cgroup's directory are no obstacle.
func removeTree(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove cgroup: %w", err)
	}
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		if err := removeTree(filepath.Join(dir, entry.Name())); err != nil {
			return err
		}
	}
	if err := unix.Rmdir(dir); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("remove cgroup %s: %w", dir, err)
	}
	return nil
}
