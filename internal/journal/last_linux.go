package journal

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
)

// ErrNone means that no run of lab has a container now.
var ErrNone = errors.New("no container of lab run, tour or check is running")

// startTime is how long a run that has begun gets until its command runs: an
// emulated machine takes seconds.
const startTime = 10 * time.Second

// Last returns the pid of the first process in the newest container that a
// command of lab runs now, as the host counts. One that is being made is waited
// for: until its command runs it looks like the host. The pid is verified by its
// start time, so one that was used again is never taken for it.
func Last() (int, error) {
	for deadline := time.Now().Add(startTime); ; time.Sleep(50 * time.Millisecond) {
		pid, begins, err := newest()
		if err != nil {
			return 0, err
		}
		if begins && time.Now().Before(deadline) {
			continue
		}
		if pid == 0 {
			return 0, ErrNone
		}
		return pid, nil
	}
}

// newest returns the newest container there is, 0 for none, and whether a newer
// one, or this one itself, is being made.
func newest() (pid int, begins bool, err error) {
	all, err := load(false)
	if err != nil {
		return 0, false, err
	}
	boot, namespace, err := here()
	if err != nil {
		return 0, false, err
	}
	for _, s := range slices.Backward(all) {
		if pid == 0 && s.broken == nil && s.local(boot, namespace) {
			var made bool
			pid, made = s.container()
			begins = begins || !made
		}
		_ = s.file.close() // it was only read
	}
	return pid, begins, nil
}

// container returns the first process of a run's container, 0 for none, and
// whether there is nothing to wait for.
func (r *Run) container() (pid int, made bool) {
	living := map[string]int{}
	known := map[string]bool{}
	for _, p := range r.Processes {
		known[p.Role] = true
		if p.lives() {
			living[p.Role] = p.PID
		}
	}
	step, pid := living[RoleStep], living[RoleContainer]
	if step == 0 {
		// The step has ended, will not come, or is about to be started.
		return pid, pid != 0 || known[RoleStep] || r.Step == "" || living[RoleLab] == 0
	}
	return pid, pid != 0 && runsCommand(pid, step) || pid == 0 && known[RoleContainer]
}

// runsCommand reports whether a container's first process has become the command,
// or has started it. Before, it is the step's program, which makes the container.
func runsCommand(pid, step int) bool {
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil || len(children) > 0 {
		return true
	}
	before, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", step))
	if err != nil {
		return true // not ours to read: there is nothing to wait by
	}
	now, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	return err != nil || now != before
}

// sortByStart puts the oldest run first.
func sortByStart(all []*stored) {
	slices.SortStableFunc(all, func(a, b *stored) int {
		return cmp.Compare(a.Started.UnixNano(), b.Started.UnixNano())
	})
}
