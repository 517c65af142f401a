//go:build linux

package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// OOM waits for the container to run out of memory.
type OOM struct {
	file *os.File // memory.events, or the eventfd of version 1
	// other is memory.oom_control of version 1 or cgroup.events of version 2.
	other   *os.File
	version int
	dir     string
	kills   uint64
}

// WatchOOM begins to watch. What happens before is not told.
func (c *Cgroup) WatchOOM() (*OOM, error) {
	p, err := c.place("memory")
	if err != nil {
		return nil, fmt.Errorf("watch for the OOM killer: %w", err)
	}
	o := &OOM{version: p.Version, dir: p.Dir}
	if p.Version == 2 {
		err = o.openV2()
	} else {
		err = o.openV1()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("watch for the OOM killer: %w", err), o.Close())
	}
	return o, nil
}

// openV1 has the kernel count into an eventfd(2) each time that memory runs out:
//
//	echo "EVENTFD OOM_CONTROL" > cgroup.event_control
func (o *OOM) openV1() error {
	var err error
	if o.other, err = os.Open(filepath.Join(o.dir, "memory.oom_control")); err != nil {
		return err
	}
	event, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return fmt.Errorf("eventfd: %w", err)
	}
	o.file = os.NewFile(uintptr(event), "eventfd")
	return writeFile(filepath.Join(o.dir, "cgroup.event_control"),
		fmt.Sprintf("%d %d", event, o.other.Fd()))
}

// openV2 takes the counter as it stands. The kernel wakes who polls the file. That
// the container has ended is in another file, populated 0; of a removed cgroup nobody
// is told.
//
//	oom 1
//	oom_kill 1
func (o *OOM) openV2() error {
	var err error
	if o.other, err = os.Open(filepath.Join(o.dir, "cgroup.events")); err != nil {
		return err
	}
	if _, err = rereadKeyed(o.other); err != nil {
		return err
	}
	if o.file, err = os.Open(filepath.Join(o.dir, "memory.events")); err != nil {
		return err
	}
	events, err := rereadKeyed(o.file)
	o.kills = events["oom_kill"]
	return err
}

// Wait returns true when memory has run out, each time once, and false when the
// cgroup is gone (of version 2: when the last process is).
func (o *OOM) Wait() (bool, error) {
	fds := []unix.PollFd{{Fd: int32(o.file.Fd()), Events: unix.POLLIN}}
	if o.version == 2 {
		fds = []unix.PollFd{
			{Fd: int32(o.file.Fd()), Events: unix.POLLPRI},
			{Fd: int32(o.other.Fd()), Events: unix.POLLPRI},
		}
	}
	for {
		_, err := unix.Poll(fds, -1)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return false, fmt.Errorf("poll for the OOM killer: %w", err)
		}
		look := o.lookV2
		if o.version == 1 {
			look = o.lookV1
		}
		if happened, gone, err := look(); happened || gone || err != nil {
			return happened, err
		}
	}
}

// lookV1 tells what the event was: the end of the cgroup is one, too.
func (o *OOM) lookV1() (happened, gone bool, err error) {
	var count [8]byte
	if _, err := unix.Read(int(o.file.Fd()), count[:]); err != nil {
		return false, false, fmt.Errorf("read the eventfd: %w", err)
	}
	_, err = os.Stat(o.dir)
	gone = isGone(err)
	return err == nil, gone, nil
}

// lookV2 compares the counter with what it was.
func (o *OOM) lookV2() (happened, gone bool, err error) {
	events, err := rereadKeyed(o.file)
	if err == nil && events["oom_kill"] > o.kills {
		o.kills = events["oom_kill"]
		return true, false, nil
	}
	var state map[string]uint64
	if err == nil {
		state, err = rereadKeyed(o.other)
	}
	if isGone(err) {
		return false, true, nil
	}
	return false, err == nil && state["populated"] == 0, err
}

// Close ends the watch; nobody may be in Wait.
func (o *OOM) Close() error {
	var errs []error
	for _, file := range []*os.File{o.file, o.other} {
		if file != nil {
			errs = append(errs, file.Close())
		}
	}
	return errors.Join(errs...)
}
