package journal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// cleanProcesses ends what runs have left running. A container dies with its
// step, and a step with its lab: the kernel sees to it (PR_SET_PDEATHSIG), but
// not for a program that changes whose it is. The step is asked first, since it
// undoes what it made.
func (c *cleaning) cleanProcesses() error {
	for _, s := range c.ended {
		if !s.local(c.boot, c.namespace) {
			continue
		}
		for _, role := range []string{RoleStep, RoleContainer, RoleAllocator} {
			for _, p := range s.Processes {
				if p.Role == role && p.lives() {
					c.endProcess(s, p)
				}
			}
		}
	}
	return nil
}

// endProcess ends a process that carries the run's mark: its directory, which
// no other run has, in the environment that it was started with. Whoever can
// write the journal could otherwise have root end any process.
func (c *cleaning) endProcess(s *stored, p Process) {
	environ, err := p.environ()
	switch {
	case !p.lives():
	case err != nil:
		c.keep(Processes, p.describe(), err.Error())
	case !bytes.Contains(environ, []byte(s.ID)):
		c.keep(Processes, p.describe(), "it was not started by this run")
	default:
		signals := []unix.Signal{unix.SIGTERM, unix.SIGKILL}
		if p.Role != RoleStep {
			signals = signals[1:] // PID 1 of a container may ignore the first
		}
		c.do(Processes, p.describe(), func() error { return p.end(signals) })
	}
}

// environ reads what the process was started with. One that is dying has no
// memory any more, and so no environment: its death is waited for.
func (p Process) environ() (text []byte, err error) {
	for began := time.Now(); time.Since(began) < patience; time.Sleep(time.Millisecond) {
		text, err = os.ReadFile(fmt.Sprintf("/proc/%d/environ", p.PID))
		if len(text) > 0 || !p.lives() {
			break
		}
	}
	return text, err
}

// end sends signals until the process is dead. The pid is held by a pidfd
// before it is verified: in between it could be another process's.
func (p Process) end(signals []unix.Signal) error {
	fd, err := unix.PidfdOpen(p.PID, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("pidfd_open %d: %w", p.PID, err)
	}
	defer unix.Close(fd)
	for _, sig := range signals {
		if !p.lives() {
			return nil
		}
		err := unix.PidfdSendSignal(fd, sig, nil, 0)
		if err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("signal %s to %d: %w", sig, p.PID, err)
		}
		for began := time.Now(); p.lives() && time.Since(began) < patience; {
			time.Sleep(time.Millisecond)
		}
	}
	if p.lives() {
		return fmt.Errorf("process %d lives on after %s", p.PID, slices.Max(signals))
	}
	return nil
}
