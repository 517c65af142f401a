package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// cgroup is the container's directory in one hierarchy of control groups, of
// version 1 or 2. All of it is used on the host.
type cgroup interface {
	limit(*limits) error // write the limits of its controllers
	admit(*os.ProcAttr)  // make the child a member before it runs
	count(*counts)       // read what the kernel has counted
	remove() error
}

// limit makes the container's cgroups, on the host, and has the child, which
// is not there yet, be a member of them.
func limit(c *container, attr *os.ProcAttr) error {
	l := &c.Limits
	if err := l.enough(); err != nil {
		return err
	}
	places, err := findPlaces(l.controllers())
	if err != nil {
		return err
	}
	files := len(attr.Files)
	for _, p := range places {
		removeStale(p.parent)
		group, err := p.make(ownName(os.Getpid()))
		if group != nil { // perhaps in part
			c.undo = append(c.undo, group.remove)
			l.groups = append(l.groups, group)
		}
		if err != nil {
			return p.refused(err)
		}
		if err := group.limit(l); err != nil {
			return err
		}
		group.admit(attr)
	}
	l.Tasks = len(attr.Files) - files
	return nil
}

// enterCgroups is the child's part of joining. It runs in the container.
func enterCgroups(c *container) error {
	for i := range c.Limits.Tasks {
		tasks := os.NewFile(uintptr(5+i), "tasks")
		// 0 is the writer: not a process but this one thread, the locked
		// one, from which the command is cloned.
		_, err := tasks.WriteString("0")
		if err := errors.Join(err, tasks.Close()); err != nil {
			return fmt.Errorf("join the cgroup: %w", cause(err))
		}
	}
	if c.Limits.PIDs > 0 {
		reserveThreads(4)
	}
	// The cgroups of this moment become the root of what can be seen of them.
	// Done before joining, /proc/self/cgroup would show the way there.
	if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
		return fmt.Errorf("unshare CLONE_NEWCGROUP: %w", err)
	}
	return nil
}

// reserveThreads has Go's runtime start the threads now that PID 1 may want
// when a fork bomb has used up the limit. The runtime ends a program that
// cannot have one. It runs in the container.
func reserveThreads(n int) {
	runtime.GOMAXPROCS(1)
	var all sync.WaitGroup
	done := make(chan struct{})
	for range n {
		all.Add(1)
		go func() {
			runtime.LockOSThread() // a thread for each of these goroutines
			defer runtime.UnlockOSThread()
			all.Done()
			<-done
		}()
	}
	all.Wait()
	close(done) // the threads stay and wait for work
}

// ownName names all cgroups of a run lab-PID-NAMESPACE: a pid means something
// only together with its namespace, as in pid:[4026531836].
func ownName(pid int) string {
	var ns unix.Stat_t
	_ = unix.Stat("/proc/self/ns/pid", &ns) // without /proc no place is found
	return fmt.Sprintf("lab-%d-%d", pid, ns.Ino)
}

// removeStale removes the cgroups of runs that were killed before they could
// do it: those whose process is dead. It runs on the host.
func removeStale(parent string) {
	for _, dir := range childrenOf(parent, "lab-") {
		words := strings.Split(filepath.Base(dir), "-")
		pid, err := strconv.Atoi(words[1])
		ours := err == nil && filepath.Base(dir) == ownName(pid)
		if ours && pid > 1 && !alive(pid) {
			_ = removeTree(dir) // refused while a process is in it
		}
	}
}

// alive reads a process's state. A zombie, Z, has nothing more to do:
//
//	4711 (05-cgroups) Z 1 4711 4711 0 -1 …
func alive(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, state, _ := strings.Cut(string(text), ") ")
	return !errors.Is(err, fs.ErrNotExist) && !strings.HasPrefix(state, "Z")
}

// removeTree removes a cgroup, and first what the command made below it.
//
//	find DIR -depth -type d -exec rmdir {} \;
func removeTree(dir string) error {
	for _, child := range childrenOf(dir, "") {
		if err := removeTree(child); err != nil {
			return err
		}
	}
	deadline := time.Now().Add(5 * time.Second)
	for {
		err := unix.Rmdir(dir)
		if err == nil || errors.Is(err, unix.ENOENT) {
			return nil
		}
		if !errors.Is(err, unix.EBUSY) || time.Now().After(deadline) {
			return fmt.Errorf("rmdir %s: %w", dir, err)
		}
		time.Sleep(time.Millisecond) // what has ended is not gone at once
	}
}
