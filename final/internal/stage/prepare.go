//go:build linux

package stage

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// prepared are orders, and what has to be held while they are carried out.
type prepared struct {
	orders
	c       *Child
	runtime *os.File // this process's end of the socket
	copies  []int    // to be closed when the child has its own
}

// prepare turns c into numbers.
func prepare(c *Child) (*prepared, error) {
	if c.Exe == nil || len(c.Args) == 0 {
		return nil, errors.New("start a stage: no program to execute")
	}
	p := &prepared{c: c}
	for _, step := range []func() error{p.copyFiles, p.places, p.rename, p.texts, p.connect} {
		if err := step(); err != nil {
			return nil, errors.Join(err, p.closeAll())
		}
	}
	return p, nil
}

// texts are arguments and environment as execve(2) takes them.
func (p *prepared) texts() error {
	argv, err := syscall.SlicePtrFromStrings(p.c.Args)
	if err != nil {
		return fmt.Errorf("arguments: %w", err)
	}
	env, err := syscall.SlicePtrFromStrings(p.c.Env)
	if err != nil {
		return fmt.Errorf("environment: %w", err)
	}
	p.argv, p.env, p.zero[0] = unsafe.Pointer(&argv[0]), unsafe.Pointer(&env[0]), '0'
	return nil
}

// connect makes the socket on which the child reports. Words stay whole on it, and it
// ends when the last process that has it does.
func (p *prepared) connect() error {
	if p.isPlain() {
		return nil
	}
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socketpair for the first stage: %w", err)
	}
	p.runtime = os.NewFile(uintptr(ends[0]), "stage")
	p.runtimeEnd = uintptr(ends[0])
	p.copies = append(p.copies, ends[1])
	p.socket, err = p.copy(ends[1])
	return err
}

// copyFiles makes copies of the files with numbers above those which the child gives
// them, so that none is in another's way.
func (p *prepared) copyFiles() (err error) {
	for _, file := range p.c.Files {
		fd, err := p.copy(int(file.Fd()))
		if err != nil {
			return err
		}
		p.files = append(p.files, fd)
	}
	p.exe, err = p.copy(int(p.c.Exe.Fd()))
	return err
}

// copy is a copy with a number above those of the child's files.
func (p *prepared) copy(fd int) (uintptr, error) {
	lowest := len(p.c.Files) + 2 // and above socket and program
	number, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, lowest)
	if err != nil {
		return none, fmt.Errorf("duplicate an open file: %w", err)
	}
	p.copies = append(p.copies, number)
	return uintptr(number), nil
}

// places are the cgroups and namespaces.
func (p *prepared) places() error {
	c := p.c
	for _, file := range c.Tasks {
		p.tasks = append(p.tasks, file.Fd())
	}
	if c.Join != 0 {
		if c.Target == nil {
			return errors.New("start a stage: no process whose namespaces to join")
		}
		p.target, p.join = c.Target.Fd(), c.Join
	}
	p.uid, p.gid = uintptr(c.UID), uintptr(c.GID)
	p.inherits = (c.Join|c.New)&unix.CLONE_NEWUSER != 0
	for _, n := range c.Namespaces {
		here, err := n.isOurs()
		if err != nil {
			return err
		}
		p.namespaces = append(p.namespaces, joined{n.Kind, n.File.Fd(), here})
		p.inherits = p.inherits || n.Kind == unix.CLONE_NEWUSER && !here
	}
	const early = unix.CLONE_NEWUSER | unix.CLONE_NEWTIME
	p.unshare = c.New & early
	p.waits = c.New&unix.CLONE_NEWUSER != 0 || len(c.Offsets) > 0
	p.first = cloneArgs{exitSignal: uint64(unix.SIGCHLD)}
	if c.Cgroup != nil {
		p.first.flags, p.first.cgroup = unix.CLONE_INTO_CGROUP, uint64(c.Cgroup.Fd())
	}
	p.second = cloneArgs{flags: uint64(c.New&^early | unix.CLONE_PARENT)}
	return nil
}

// fork makes the first process. No other may be started at that moment: it would
// inherit copies before they are closed.
func (p *prepared) fork() (int, syscall.Errno) {
	syscall.ForkLock.Lock()
	defer syscall.ForkLock.Unlock()
	pid, errno := fork(&p.orders)
	runtime.KeepAlive(p)
	return int(pid), errno
}

// closeCopies closes what the child has got.
func (p *prepared) closeCopies() error {
	var err error
	for _, fd := range p.copies {
		err = errors.Join(err, unix.Close(fd))
	}
	p.copies = nil
	return err
}

// closeAll is for orders that are not carried out.
func (p *prepared) closeAll() error {
	err := p.closeCopies()
	if p.runtime != nil {
		err = errors.Join(err, p.runtime.Close())
	}
	return err
}
