//go:build linux

// Package nsview shows who is in which namespace: one process beside the caller,
// several as a matrix, all by namespace, and the namespaces that nest as trees.
// What it shows is read from /proc/PID/ns, where equal inode numbers mean the
// same namespace, and asked of the namespaces themselves. See namespaces(7),
// proc_pid_ns(5), ioctl_ns(2).
//
// What it does not see: threads that left their process's namespaces, and
// namespaces that nothing holds but an open file of a process.
package nsview

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"golang.org/x/sys/unix"

	"lab/internal/inspect"
)

// Process is a process and the namespaces that it is in.
type Process struct {
	inspect.Process
	// In has the inode number of each namespace by its kind. A kind is missing
	// when the kernel does not have it or the process is a zombie.
	In map[string]uint64
	// ForChildren has the namespaces that its next children will be in, where
	// that is another one than its own: kinds pid and time.
	ForChildren map[string]uint64
	// Levels are its pids: in the reader's PID namespace, in the one below it on
	// the way to its own, and so on.
	Levels []int
}

// Denied is a process whose namespaces may not be read.
type Denied struct {
	inspect.Process
	Err error
}

// Survey is what was read at one moment.
type Survey struct {
	You       Process   // the caller
	Processes []Process // in the order of their pids
	Denied    []Denied
	Ended     int // processes that ended while they were looked at
	Kinds     []string
	// Namespaces are those of the processes, those around them, and those that a
	// mounted file holds.
	Namespaces []Namespace
}

// Of reads the given processes. One that cannot be read is an error: it was
// asked for.
func Of(pids []int) (*Survey, error) {
	s, err := begin()
	if err != nil {
		return nil, err
	}
	for _, pid := range pids {
		p, err := read(pid, &s.You)
		if err != nil {
			return nil, fmt.Errorf("%d: %w", pid, inspect.Meanwhile(pid, err))
		}
		s.Processes = append(s.Processes, p)
	}
	s.relate()
	return s, nil
}

// All reads every process that /proc shows.
func All() (*Survey, error) {
	s, err := begin()
	if err != nil {
		return nil, err
	}
	pids, err := inspect.Processes()
	if err != nil {
		return nil, err
	}
	for _, pid := range pids {
		p, err := read(pid, &s.You)
		switch {
		case err == nil:
			s.Processes = append(s.Processes, p)
		case ended(err):
			s.Ended++
		default:
			s.Denied = append(s.Denied, Denied{p.Process, err})
		}
	}
	s.hold()
	s.relate()
	return s, nil
}

// begin reads the caller and which kinds of namespaces this kernel has.
func begin() (*Survey, error) {
	self, err := inspect.Self()
	if err != nil {
		return nil, err
	}
	you, err := read(self, nil)
	if err != nil {
		return nil, err
	}
	s := &Survey{You: you}
	for _, kind := range inspect.Types {
		if you.In[kind] != 0 {
			s.Kinds = append(s.Kinds, kind)
		}
	}
	return s, nil
}

// ended reports whether an error says that a process is no more.
func ended(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH)
}

// read reads one process; you is the caller, nil while it is read itself. With an
// error that is not about its end, who the process is was read all the same.
func read(pid int, you *Process) (Process, error) {
	who, err := inspect.ReadProcess(pid)
	if err != nil {
		return Process{}, err
	}
	p := Process{Process: who, In: map[string]uint64{}}
	for _, kind := range inspect.Types {
		inode, err := inspect.Namespace(pid, kind)
		if errors.Is(err, fs.ErrNotExist) {
			continue // no such kind, a zombie, or its end, which the last read tells
		}
		if err != nil {
			return p, err
		}
		p.In[kind] = inode
	}
	p.readChildren()
	p.Levels = []int{pid}
	if you != nil && len(you.Levels) == 1 && p.In["pid"] == you.In["pid"] {
		return p, nil // in the PID namespace of /proc itself it has no other pid
	}
	status, err := inspect.ReadStatus(pid)
	p.Levels = status.NSpid
	return p, err
}

// readChildren reads where its children will be. Before the first child of a
// process that called unshare(CLONE_NEWPID) there is no such namespace yet, and
// the file is not there.
func (p *Process) readChildren() {
	for _, kind := range []string{"pid", "time"} {
		inode, err := inspect.Namespace(p.PID, kind+"_for_children")
		if err != nil || inode == p.In[kind] {
			continue
		}
		if p.ForChildren == nil {
			p.ForChildren = map[string]uint64{}
		}
		p.ForChildren[kind] = inode
	}
}

// Yours reports whether a namespace is the caller's.
func (s *Survey) Yours(kind string, inode uint64) bool { return s.You.In[kind] == inode }

// kernelThreads counts the threads of the kernel.
func (s *Survey) kernelThreads() int {
	count := 0
	for _, p := range s.Processes {
		if p.Kernel {
			count++
		}
	}
	return count
}

// deniedUsers returns the users whose processes could not be read, sorted.
func (s *Survey) deniedUsers() []int {
	var users []int
	for _, d := range s.Denied {
		if !slices.Contains(users, d.UID) {
			users = append(users, d.UID)
		}
	}
	slices.Sort(users)
	return users
}
