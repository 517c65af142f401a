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

	"lab/internal/inspect"
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

// watchContainers looks for the containers that a check of a program makes, one after
// another in the throw-away host, and notes each for `last`. What it does not see is
// over too soon for anybody to look at. The returned function stops looking.
func watchContainers(run *journal.Run, program string) (stop func()) {
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		noted := 0
		for {
			began := time.Now()
			if pid := newestBelow(os.Getpid(), run.Step, program); pid != 0 && pid != noted {
				_ = run.Note(journal.RoleContainer, pid) // it may have ended already
				noted = pid
			}
			select {
			case <-done:
				return
			case <-time.After(max(50*time.Millisecond, 10*time.Since(began))): // /proc may be long
			}
		}
	}()
	return func() {
		close(done)
		<-stopped
	}
}

// newestBelow returns the container of the newest process below another that executes
// a program, 0 if there is none.
func newestBelow(ancestor int, step, program string) int {
	below, err := inspect.Descendants(ancestor)
	if err != nil {
		return 0
	}
	slices.Sort(below)
	for _, pid := range slices.Backward(below) {
		exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
		if err != nil || exe != program {
			continue
		}
		if container := containerOf(step, pid); container != 0 {
			return container
		}
	}
	return 0
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
