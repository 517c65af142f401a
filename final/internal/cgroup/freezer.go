//go:build linux

package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// frozenWithin is how long a container may take to come to rest: a process in an
// uninterruptible sleep holds all up.
const frozenWithin = 5 * time.Second

// Freeze stops all processes of the container, also such as they fork meanwhile, and
// returns when all stand still.
func (c *Cgroup) Freeze() error {
	p, err := c.freezer()
	if err != nil {
		return err
	}
	if p.Version == 2 {
		err = p.freezeV2()
	} else {
		err = p.freezeV1()
	}
	if err != nil {
		// Half a freeze is none: the container goes on.
		return errors.Join(fmt.Errorf("freeze %s: %w", p.Dir, err), p.thaw())
	}
	return nil
}

// Thaw lets them go on. A container that is not frozen stays as it is.
func (c *Cgroup) Thaw() error {
	p, err := c.freezer()
	if err != nil {
		return err
	}
	if err := p.thaw(); err != nil {
		return fmt.Errorf("thaw %s: %w", p.Dir, err)
	}
	return nil
}

// Frozen reports whether the container was told to stand still, be it by Freeze or
// by somebody else.
func (c *Cgroup) Frozen() (bool, error) {
	p, err := c.freezer()
	if err != nil {
		return false, err
	}
	return p.frozen()
}

// frozen reads the state of one place.
func (p Place) frozen() (bool, error) {
	file := "freezer.state"
	if p.Version == 2 {
		file = "cgroup.freeze"
	}
	text, err := os.ReadFile(filepath.Join(p.Dir, file))
	state := strings.TrimSpace(string(text))
	return state == "1" || state == "FROZEN" || state == "FREEZING", err
}

// freezer is where the container can be frozen.
func (c *Cgroup) freezer() (Place, error) {
	p, err := c.place("freezer")
	if err != nil {
		err = fmt.Errorf("cgroup %s: it cannot be frozen: no hierarchy of version 1 has the "+
			"controller freezer, and version 2 is not mounted", c.Path)
	}
	return p, err
}

// freezeV1 asks again until the state is no longer FREEZING. A process that is born
// at the wrong moment may keep it so: then all are let go for a moment.
//
//	echo FROZEN > freezer.state; cat freezer.state
func (p Place) freezeV1() error {
	file := filepath.Join(p.Dir, "freezer.state")
	deadline := time.Now().Add(frozenWithin)
	pause := 20 * time.Microsecond
	for round := 1; ; round++ {
		if err := writeFile(file, "FROZEN"); err != nil {
			return err
		}
		state, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if strings.TrimSpace(string(state)) == "FROZEN" {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("it is %s after %v", strings.TrimSpace(string(state)), frozenWithin)
		}
		const letGo = 50
		if round%letGo == 0 {
			if err := writeFile(file, "THAWED"); err != nil {
				return err
			}
		}
		time.Sleep(pause)
		pause = min(2*pause, 10*time.Millisecond)
	}
}

// freezeV2 waits for the event that all stand still. The kernel wakes who polls the
// file for POLLPRI when one of its lines changes:
//
//	populated 1
//	frozen 0
func (p Place) freezeV2() error {
	path := filepath.Join(p.Dir, "cgroup.events")
	events, err := os.Open(path)
	if err != nil {
		return err
	}
	defer events.Close()
	if err := writeFile(filepath.Join(p.Dir, "cgroup.freeze"), "1"); err != nil {
		return err
	}
	deadline := time.Now().Add(frozenWithin)
	for {
		values, err := rereadKeyed(events)
		if err != nil || values["frozen"] == 1 {
			return err
		}
		left := time.Until(deadline)
		if left <= 0 {
			return fmt.Errorf("frozen is 0 after %v", frozenWithin)
		}
		fds := []unix.PollFd{{Fd: int32(events.Fd()), Events: unix.POLLPRI}}
		_, err = unix.Poll(fds, int(left/time.Millisecond)+1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("poll %s: %w", path, err)
		}
	}
}

// thaw writes the state; what comes of it need not be waited for.
func (p Place) thaw() error {
	if p.Version == 2 {
		return writeFile(filepath.Join(p.Dir, "cgroup.freeze"), "0")
	}
	return writeFile(filepath.Join(p.Dir, "freezer.state"), "THAWED")
}
