//go:build linux

package stage

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// isPlain reports whether Go itself can start the program: it makes new namespaces, but
// joins none and waits for nobody. That takes half the time, because the child borrows
// this process's memory instead of copying it.
func (p *prepared) isPlain() bool {
	c := p.c
	const special = unix.CLONE_NEWUSER | unix.CLONE_NEWTIME
	joins := c.Join != 0 ||
		slices.ContainsFunc(p.namespaces, func(n joined) bool { return !n.done })
	return !joins && len(c.Tasks) == 0 && c.New&special == 0 && len(c.Offsets) == 0
}

// startPlain starts the program as os.StartProcess does.
func (p *prepared) startPlain() (pid int, err error) {
	c := p.c
	// All that the child does not get ends with its execve(2), also what was open when
	// this process began.
	if err := unix.CloseRange(3, ^uint(0), unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return 0, fmt.Errorf("close_range: %w", err)
	}
	// A cgroup namespace begins where its first process is, so it is made by the child,
	// in its cgroup, and not by the clone, which looks at ours.
	sys := &syscall.SysProcAttr{
		Cloneflags:   c.New &^ unix.CLONE_NEWCGROUP,
		Unshareflags: c.New & unix.CLONE_NEWCGROUP,
	}
	if c.Cgroup != nil {
		sys.UseCgroupFD, sys.CgroupFD = true, int(c.Cgroup.Fd())
	}
	path := fmt.Sprintf("/proc/self/fd/%d", p.exe)
	pid, err = syscall.ForkExec(path, c.Args, &syscall.ProcAttr{
		Env: c.Env, Files: p.files, Sys: sys,
	})
	runtime.KeepAlive(c)
	if err == nil {
		return pid, nil
	}
	for _, errno := range []error{unix.ENOENT, unix.EACCES, unix.ENOEXEC, unix.ETXTBSY} {
		if errors.Is(err, errno) { // no clone ends so
			return 0, fmt.Errorf("execute %s: %w", c.Exe.Name(), err)
		}
	}
	return 0, fmt.Errorf("clone with %s: %w", FlagNames(c.New), err)
}
