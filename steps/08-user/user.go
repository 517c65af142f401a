package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// userns is the container's user namespace: whether it has one, and which ids
// of the host its own ids stand for.
type userns struct {
	On        bool
	AsRoot    string // the command line for root, where this one is refused
	FirstLent int    // what root has lent: this file descriptor and on,
	Lent      int    // so many in all,
	LentRoot  int    // of which the first make the root file system

	uids, gids []syscall.SysProcIDMap
	helped     bool // newuidmap and newgidmap write the maps
	trees      []*os.File
}

// flags adds the flags of this file's topic.
func (u *userns) flags(f *flag.FlagSet) {
	f.BoolVar(&u.On, "user", false, "be root in a user namespace only")
}

// isolate adds the user namespace to the clone(2) of the child, on the host.
// It is made before the other namespaces and owns them: its root may name the
// container, mount in it and set up its links, and nothing else.
//
//	unshare --user --map-root-user
func isolate(c *container, attr *os.ProcAttr) error {
	u := &c.User
	if !u.On {
		return nil
	}
	u.AsRoot = withoutUser(asRoot())
	if err := planIDs(c, attr); err != nil {
		return err
	}
	attr.Sys.Cloneflags |= unix.CLONE_NEWUSER
	if u.helped {
		return nil // the child is cloned without maps and waits for them
	}
	// Go holds the child back until the maps are written, and writes "deny" to
	// /proc/PID/setgroups: a process that could drop a group would get at the
	// files from which that group is shut out.
	attr.Sys.UidMappings, attr.Sys.GidMappings = u.uids, u.gids
	// The child still is who started it. That has no name inside when root
	// has given it other ids.
	attr.Sys.Credential = &syscall.Credential{Uid: 0, Gid: 0}
	return nil
}

// becomeRoot makes the child root of its user namespace, in the container.
// execve(2) gives uid 0 every capability, but a child that was executed before
// its map was written was nobody then and lost what clone(2) had given it.
// Once the map is there it executes itself again, and is uid 0.
func becomeRoot(c *container) error {
	if !c.User.On || !powerless() {
		return nil
	}
	mapped := make([]byte, 1)
	if n, err := unix.Read(4, mapped); n == 0 || err != nil {
		os.Exit(125) // the parent gave up and has said why
	}
	if mapped[0] != '\n' {
		return errors.New("uid 0 has no capabilities: is no_new_privs set?")
	}
	err := unix.Exec("/proc/self/exe", os.Args, os.Environ())
	return fmt.Errorf("execute init again: %w", err)
}

// powerless reports whether this process has no capability at all.
func powerless() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData // capabilities 0 to 31, 32 to 63
	err := unix.Capget(&header, &sets[0])
	return err == nil && sets[0].Effective|sets[1].Effective == 0
}

// dieWithParent asks once more for the signal at the parent's death, in the
// container: the kernel forgets that wish when a process gains capabilities.
func dieWithParent(c *container) error {
	if !c.User.On {
		return nil
	}
	err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0)
	if err != nil {
		return fmt.Errorf("prctl PR_SET_PDEATHSIG: %w", err)
	}
	// A parent that died before that no longer reads the ready pipe.
	ready := []unix.PollFd{{Fd: 3}}
	_, err = unix.Poll(ready, 0)
	if err == nil && ready[0].Revents&unix.POLLERR != 0 {
		os.Exit(125)
	}
	return nil
}
