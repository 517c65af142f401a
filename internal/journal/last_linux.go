package journal

import (
	"cmp"
	"errors"
	"slices"
)

// ErrNone means that no run of lab has a container now.
var ErrNone = errors.New("no container of lab run, tour or check is running")

// Last returns the pid of the first process in the newest container that a
// command of lab runs now, as the host counts. It is verified by its start
// time, so a pid that was used again is never taken for it.
func Last() (int, error) {
	all, err := load(false)
	if err != nil {
		return 0, err
	}
	boot, namespace, err := here()
	if err != nil {
		return 0, err
	}
	pid := 0
	for _, s := range slices.Backward(all) {
		for _, p := range slices.Backward(s.Processes) {
			good := pid == 0 && s.broken == nil && s.local(boot, namespace)
			if good && p.Role == RoleContainer && p.lives() {
				pid = p.PID
			}
		}
		_ = s.file.close() // it was only read
	}
	if pid == 0 {
		return 0, ErrNone
	}
	return pid, nil
}

// sortByStart puts the oldest run first.
func sortByStart(all []*stored) {
	slices.SortStableFunc(all, func(a, b *stored) int {
		return cmp.Compare(a.Started.UnixNano(), b.Started.UnixNano())
	})
}
