package oom

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// event waits for the kernel's word that an OOM kill has happened.
type event struct {
	source string
	file   *os.File // readable when something has happened
	closes []int
	killed func() bool // whether there was a kill
	always bool        // whether every event is one of OOM
}

// listen asks the kernel to tell of OOM kills in a cgroup.
func (g group) listen() (*event, error) {
	e := &event{killed: func() bool { return g.kills() > 0 }}
	var err error
	if g.version == 1 {
		e.source, e.always = "eventfd on memory.oom_control", true
		err = e.listenV1(g.dir)
	} else {
		e.source = "inotify on memory.events"
		err = e.listenV2(g.dir)
	}
	if err != nil {
		return nil, errors.Join(err, e.close())
	}
	return e, nil
}

// listenV1 hands the kernel an eventfd for memory.oom_control:
//
//	echo "EVENTFD CONTROLFD" > cgroup.event_control
func (e *event) listenV1(dir string) error {
	control, err := unix.Open(filepath.Join(dir, "memory.oom_control"),
		unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %s/memory.oom_control: %w", dir, err)
	}
	e.closes = append(e.closes, control)
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return fmt.Errorf("eventfd: %w", err)
	}
	e.file = os.NewFile(uintptr(fd), "eventfd")
	text := fmt.Sprintf("%d %d", fd, control)
	return writeText(filepath.Join(dir, "cgroup.event_control"), text)
}

// listenV2 watches memory.events, which the kernel calls modified whenever one
// of its counters has changed.
func (e *event) listenV2(dir string) error {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return fmt.Errorf("inotify_init: %w", err)
	}
	e.file = os.NewFile(uintptr(fd), "inotify")
	path := filepath.Join(dir, "memory.events")
	if _, err := unix.InotifyAddWatch(fd, path, unix.IN_MODIFY); err != nil {
		return fmt.Errorf("inotify_add_watch %s: %w", path, err)
	}
	return nil
}

// wait returns when a process was killed, and when that was; false if the
// event is closed before.
func (e *event) wait() (time.Time, bool) {
	// An inotify event is 16 bytes without a name, an eventfd's number is 8.
	buffer := make([]byte, 16*unsafe.Sizeof(uint64(0)))
	for {
		if _, err := e.file.Read(buffer); err != nil {
			return time.Time{}, false
		}
		now := time.Now()
		// An eventfd speaks before the victim is counted. Of the counters in
		// memory.events each is a reason to speak, so that one is asked again.
		for range 1000 {
			if e.killed() {
				return now, true
			}
			if !e.always {
				break
			}
			time.Sleep(time.Millisecond)
		}
	}
}

// close ends the waiting.
func (e *event) close() error {
	var errs []error
	if e.file != nil {
		errs = append(errs, e.file.Close())
	}
	for _, fd := range e.closes {
		errs = append(errs, unix.Close(fd))
	}
	e.closes = nil
	return errors.Join(errs...)
}
