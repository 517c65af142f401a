//go:build linux

package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Kill kills all processes of the container and returns when they have been told: it
// is Remove that waits for them to be gone. A frozen container is killed, too.
func (c *Cgroup) Kill() error {
	p, err := c.main()
	if err != nil || !c.isOurs(p) {
		return err
	}
	if p.Version == 2 {
		// Since Linux 5.14 the kernel does it at once, forks and the frozen included.
		err := writeFile(filepath.Join(p.Dir, "cgroup.kill"), "1")
		_, statErr := os.Stat(p.Dir)
		switch {
		case isGone(statErr):
			return nil // no cgroup, no process
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
	}
	return c.Signal(unix.SIGKILL)
}

// Signal sends a signal to all processes of the container, each once. They stand
// still meanwhile, so none is forked unseen; afterwards the container is frozen if
// it was before, unless the signal is SIGKILL: of version 1 the frozen do not die.
func (c *Cgroup) Signal(signal unix.Signal) error {
	if p, err := c.main(); err != nil || !c.isOurs(p) {
		return err
	}
	frozen, err := c.Frozen()
	if isGone(err) {
		return nil // no cgroup, no process
	}
	canFreeze := err == nil
	if canFreeze && !frozen {
		// Where it cannot come to rest the rounds below find what is forked.
		_ = c.Freeze()
	}
	err = c.signalAll(signal)
	if canFreeze && (!frozen || signal == unix.SIGKILL) {
		err = errors.Join(err, c.Thaw())
	}
	return err
}

// signalAll signals in rounds until one finds nobody new.
func (c *Cgroup) signalAll(signal unix.Signal) error {
	done := map[int]bool{}
	const rounds = 100
	for range rounds {
		pids, err := c.Procs(true)
		if isGone(err) {
			return nil
		}
		if err != nil {
			return err
		}
		news := slices.DeleteFunc(pids, func(pid int) bool { return done[pid] })
		if len(news) == 0 {
			return nil
		}
		for some := range slices.Chunk(news, atOnce) {
			if err := c.signalSome(some, signal); err != nil {
				return err
			}
		}
		for _, pid := range news {
			done[pid] = true
		}
		if signal == unix.SIGKILL {
			// What was forked before it died is seen in the next round.
			time.Sleep(time.Millisecond)
		}
	}
	return fmt.Errorf("cgroup %s: processes are forked faster than they are signalled", c.Path)
}

// atOnce is how many pidfds are held at a time.
const atOnce = 200

// signalSome signals processes that were listed. Since then one may have ended and its
// pid be another's. So it is held on to by a pidfd, then it is looked whether that pid
// is listed still, and only then the signal is sent: to a pidfd whose process has
// ended meanwhile it goes nowhere.
func (c *Cgroup) signalSome(pids []int, signal unix.Signal) error {
	held := map[int]int{}
	defer func() {
		for _, fd := range held {
			_ = unix.Close(fd) // nothing was written
		}
	}()
	for _, pid := range pids {
		if pid <= 1 {
			return fmt.Errorf("signal process %d of cgroup %s: such a pid is never signalled",
				pid, c.Path)
		}
		fd, err := unix.PidfdOpen(pid, 0)
		if errors.Is(err, unix.ESRCH) {
			continue // it has ended
		}
		if err != nil {
			return fmt.Errorf("pidfd_open %d: %w", pid, err)
		}
		held[pid] = fd
	}
	listed, err := c.Procs(true)
	if err != nil {
		return err
	}
	for pid, fd := range held {
		if !slices.Contains(listed, pid) {
			continue
		}
		err := unix.PidfdSendSignal(fd, signal, nil, 0)
		if err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("pidfd_send_signal %d, %v: %w", pid, signal, err)
		}
	}
	return nil
}
