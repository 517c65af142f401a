//go:build linux

package engine

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"lab/final/internal/cgroup"
)

// What the host has of containers and no directory of ours: cgroups, networks, monitors
// and mounts.

// moment is for how long something has to be there that may be about to go.
const moment = time.Second / 2

// cgroups looks for those in which there is no process and that are of no container of
// ours. Another engine's could be about to be joined: then it is not idle a moment later.
//
//	/sys/fs/cgroup/memory/mini-ID
func (x *examination) cgroups() error {
	x.idle = map[string]bool{}
	if !x.ids.all() {
		return nil
	}
	host, err := cgroup.ReadHost()
	if err != nil {
		return err
	}
	looked := host.Idle(cgroupPrefix)
	if len(looked) == 0 {
		return nil
	}
	time.Sleep(moment)
	before := map[string]bool{}
	for _, name := range looked {
		before[name] = true
	}
	for _, name := range host.Idle(cgroupPrefix) {
		id := strings.TrimPrefix(name, cgroupPrefix)
		switch {
		case len(id) != idLength || !before[name]:
		case x.exists(id):
			x.idle[id] = true
		default:
			x.tell("the cgroup "+name+" is of no container",
				func() error { return host.RemoveIdle("/" + name) })
		}
	}
	return nil
}

// networks looks for what the dead have of the networks.
func (x *examination) networks() error {
	store, err := x.Networks()
	if err != nil {
		return err
	}
	if x.ids.all() { // those of an ordinary user go with their namespace
		left, err := store.Left()
		if err != nil {
			return err
		}
		for _, what := range left {
			x.tell(what, store.ClearLeft)
		}
	}
	dead, err := store.Dead()
	for _, l := range dead {
		if c, err := x.read(l.ID); err == nil && c.State.Monitor.Alive() {
			continue // who is about to give it back
		}
		x.tell(fmt.Sprintf("container %s (%s) is dead and has an address", short(l.ID), l.Name),
			func() error { return store.Detach(l.ID) })
	}
	return err
}

// monitors looks for those of containers that are gone.
//
//	/proc/PID/cmdline   mini-monitor ROOT STATE ID [attach]
func (x *examination) monitors() error {
	paths, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return err
	}
	for _, path := range paths {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil || pid <= 1 {
			continue
		}
		if err := x.monitor(pid, path); err != nil {
			return err
		}
	}
	return nil
}

// monitor looks at one process. A monitor that has removed its container has no children
// any more, and ends when what it has unpacked is on disk.
func (x *examination) monitor(pid int, path string) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("pidfd_open %d: %w", pid, err)
	}
	defer unix.Close(fd) //nolint:errcheck // Nothing was written to it.
	line, err := os.ReadFile(path)
	words := strings.Split(string(bytes.TrimRight(line, "\x00")), "\x00")
	if err != nil || len(words) < 4 || words[0] != MonitorName ||
		words[1] != x.Root || words[2] != x.State || x.exists(words[3]) ||
		len(children(pid)) == 0 {
		return nil
	}
	ready := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	if n, _ := unix.Poll(ready, int(moment.Milliseconds())); n > 0 {
		return nil // it was about to end
	}
	x.tell(fmt.Sprintf("process %d is the monitor of container %s, which is gone", pid,
		short(words[3])), func() error { return x.endMonitor(fd, pid, words[3]) })
	return nil
}

// endMonitor ends a monitor, and what runs in its container.
func (x *examination) endMonitor(fd, pid int, id string) error {
	held := map[int]int{}
	for _, child := range children(pid) {
		if fd, err := unix.PidfdOpen(child, 0); err == nil {
			held[child] = fd
		}
	}
	var errs []error
	// Those that still are its children are the processes that the descriptors hold.
	for _, child := range children(pid) {
		if fd, ok := held[child]; ok {
			errs = append(errs, unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0))
		}
	}
	for _, fd := range held {
		errs = append(errs, unix.Close(fd))
	}
	errs = append(errs, unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0),
		x.release(&Container{ID: id}))
	return ignore(errors.Join(errs...), unix.ESRCH)
}

// children are the children of a process, of all its threads.
func children(pid int) (all []int) {
	paths, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid)) // a good pattern
	for _, path := range paths {
		text, _ := os.ReadFile(path) // the thread may have ended
		for word := range strings.FieldsSeq(string(text)) {
			if child, err := strconv.Atoi(word); err == nil && child > 1 {
				all = append(all, child)
			}
		}
	}
	return all
}

// mounts looks for roots of containers that somebody has mounted where the host sees them.
// On them could be a directory of the host's, so they are let go before anything is removed.
func (x *examination) mounts() error {
	state, err := filepath.EvalSymlinks(x.State)
	if err != nil {
		return err
	}
	all, err := mountinfo.GetMounts(mountinfo.PrefixFilter(state))
	if err != nil {
		return err
	}
	for _, m := range all {
		id, rest, _ := strings.Cut(strings.TrimPrefix(m.Mountpoint, state+"/"), "/")
		if len(id) != idLength || rest != "rootfs" {
			continue
		}
		if c, err := x.read(id); err == nil && c.isUp() {
			continue
		}
		x.tell("on "+m.Mountpoint+" something is mounted, and its container does not run",
			func() error { return unix.Unmount(m.Mountpoint, unix.MNT_DETACH) })
	}
	return nil
}
