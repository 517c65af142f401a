//go:build linux

package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"lab/internal/journal"
)

// watchContainer looks for the container of a step's program and notes both in
// the journal, so that `last` finds it and `lab clean` knows whom to end. The
// returned function stops looking.
func watchContainer(run *journal.Run, program int) (stop func()) {
	_ = run.Note(journal.RoleStep, program) // it may have ended already
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		const first, most = time.Millisecond, 100 * time.Millisecond
		for pause := first; ; pause = min(2*pause, most) {
			if pid := containerOf(run.Step, program); pid != 0 {
				_ = run.Note(journal.RoleContainer, pid) // it may have ended already
				return
			}
			select {
			case <-done:
				return
			case <-time.After(pause):
			}
		}
	}()
	return func() {
		close(done)
		<-stopped
	}
}

// containerOf returns the first process of a container: the child of a step's
// program that is in another UTS namespace. Step 00 has no namespaces: there it
// is the one child.
func containerOf(step string, program int) int {
	children, err := childrenOf(program)
	if err != nil {
		return 0 // it has ended
	}
	i := slices.IndexFunc(children, func(pid int) bool {
		return step == "00-exec" || utsName(pid) != "" && utsName(pid) != utsName(program)
	})
	if i < 0 {
		return 0
	}
	return children[i]
}

// childrenOf reads the children of a process's first thread, the one that a
// step's program is locked to:
//
//	4712 4713
func childrenOf(pid int) ([]int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil, err
	}
	var pids []int
	for word := range strings.FieldsSeq(string(text)) {
		child, err := strconv.Atoi(word)
		if err != nil {
			return nil, err
		}
		pids = append(pids, child)
	}
	return pids, nil
}

// utsName names the UTS namespace of a process, empty if it cannot be read.
func utsName(pid int) string {
	var name [64]byte
	n, err := unix.Readlink(fmt.Sprintf("/proc/%d/ns/uts", pid), name[:])
	if err != nil {
		return ""
	}
	return string(name[:n])
}
